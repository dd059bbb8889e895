// SV1  Nothing is served before the member has published itself and everything committed is
//      applied.
// SV2  The WAL lets entries go only behind a durable backend commit that contains them.
// SV3  A failed disk write ends the process: no answer is given after it.

import { createHash } from "node:crypto";
import { must } from "../base/assert.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { nodeDirectory } from "../io/node-directory.ts";
import { createNodeDisk } from "../io/node-disk.ts";
import { nodeImageFile } from "../io/node-image-file.ts";
import { lockFile } from "../io/node-lock.ts";
import { ConfChangeType } from "../raft/message.ts";
import type { Entry } from "../raft/types.ts";
import { decodeConfChange } from "../codec/conf-change.ts";
import { Applier } from "./apply/applier.ts";
import { ApplyTimes } from "./apply/apply-times.ts";
import { Quota } from "./apply/quota.ts";
import { openLmdbBackend } from "./backend/lmdb.ts";
import type { Backend } from "./backend/backend.ts";
import { bootstrapChanges, identify, type Identity } from "./bootstrap.ts";
import type { ServerConfig } from "./config/config.ts";
import { checkBootstrap, parseInitialCluster } from "./config/initial-cluster.ts";
import { openDataDir, type DataDir, type DataDirIdentity } from "./data-dir.ts";
import { decodeMember } from "./member/member.ts";
import { MemberMetrics } from "./member-metrics.ts";
import { measureBackend, measureDisk } from "./metrics/measured.ts";
import type { Node } from "./node.ts";
import { RaftProposer } from "./proposer.ts";
import { publish } from "./publish.ts";
import { createNode, type StartedNode } from "./start-node.ts";
import { Ports } from "./client-port.ts";
import type { RunningServer, ServerIo, StartServer } from "./start.ts";
import { loadState, writeConfState, writeFirstRows, type State } from "./state.ts";
import { SpaceGuard } from "./space-guard.ts";
import { requestField } from "./apply/fields.ts";
import { encodeLeaseIdRequest } from "../codec/lease.ts";
import { Writer } from "../codec/writer.ts";

/** The composition root: builds every part of one member, connects them, and ends them in order. */
export const startServer: StartServer = async (config, io) => {
  const member = new MemberServer(config, io);
  try {
    await member.start();
  } catch (error) {
    await member.close().catch((closing: unknown) => {
      io.log.warn("failed to close etcd server", { error: closing });
    });
    throw error;
  }
  return member;
};

const closeGraceMs = 5000;

class MemberServer implements RunningServer {
  readonly #config: ServerConfig;
  readonly #io: ServerIo;
  readonly #metrics: MemberMetrics;
  #directory: DataDir | null = null;
  #backend: Backend | null = null;
  #state: State | null = null;
  #node: Node | null = null;
  #applier: Applier | null = null;
  #proposer: RaftProposer | null = null;
  #ports: Ports | null = null;
  #guard: SpaceGuard | null = null;
  #isClosing = false;

  constructor(config: ServerConfig, io: ServerIo) {
    this.#config = config;
    this.#io = io;
    this.#metrics = new MemberMetrics(config, io.processStats, io.turnSeconds);
  }

  async start(): Promise<void> {
    const config = this.#config;
    const { clock, turn, log, random } = this.#io;
    const directory = openDataDir({
      ...{ path: config.dataDir, log, files: nodeDirectory, lock: lockFile },
    });
    this.#directory = directory;
    const identity = directory.identity ?? newIdentity(config, directory);
    const lmdb = openLmdbBackend({ directory: directory.backendPath, turn });
    const backend = measureBackend(lmdb, clock, this.#metrics.disk);
    this.#backend = backend;
    const state = loadState({
      ...{ config, backend, clock, turn, random, log, checksum: nodeChecksum },
      imageFile: nodeImageFile(directory.indexImagePath),
      ids: { clusterId: identity.clusterId, localId: identity.memberId },
      fail: this.#fatal,
      proposeRevoke: this.#proposeRevoke,
    });
    this.#state = state;
    log.info("kvstore restored", { "current-rev": state.store.currentRevision });
    const started = await this.#createNode(state, identity, config.walDir || directory.walPath);
    this.#connect(state, started);
    this.#metrics.connect({ state, backend, node: started.node });
    this.#ports = new Ports({
      ...{ config, io: this.#io, state, backend, node: started.node },
      proposer: must(this.#proposer),
      guard: must(this.#guard),
      metrics: this.#metrics,
    });
    await this.#runUntilPublished(started.node);
    await this.#ports.listen();
    log.info("ready to serve client requests");
    this.#ports.announce();
    this.#io.ready();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const { name, dataDir } = this.#config;
    this.#io.log.info("closing etcd server", { name, "data-dir": dataDir });
    try {
      await this.#ports?.close(closeGraceMs);
      await this.#closeState();
    } finally {
      this.#directory?.release();
    }
    this.#io.log.info("closed etcd server", { name, "data-dir": dataDir });
  }

  /** Nothing is proposed any more, then nothing read, then what was applied is made durable. */
  async #closeState(): Promise<void> {
    const [node, state, backend] = [this.#node, this.#state, this.#backend];
    if (node !== null)
      await new Promise<void>((resolve) => {
        node.stop(resolve);
      });
    if (state !== null) {
      state.lessor.demote();
      state.store.close();
      await new Promise<void>((resolve) => {
        state.writer.commit(resolve);
      });
      state.saveImage();
      state.writer.close();
    }
    if (backend !== null)
      await new Promise<void>((resolve, reject) => {
        backend.close((error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
  }

  #createNode(state: State, identity: DataDirIdentity, walDirectory: string): Promise<StartedNode> {
    const { clock, turn, log, random } = this.#io;
    const config = this.#config;
    return new Promise((resolve, reject) => {
      createNode(
        {
          ...{ clock, turn, log, random, walDirectory, checksum: nodeChecksum },
          disk: measureDisk(
            createNodeDisk({ unsafeNoFsync: config.unsafeNoFsync }),
            clock,
            this.#metrics.disk,
          ),
          clusterId: identity.clusterId,
          memberId: identity.memberId,
          tickMs: config.heartbeatIntervalMs,
          electionTicks: Math.floor(config.electionTimeoutMs / config.heartbeatIntervalMs),
          applied: state.applied,
          confState: state.confState,
          bootstrap: () => bootstrapChanges(identifyNew(config).members),
          slowApplyMs: config.warningApplyDurationMs,
          apply: this.#apply,
          applyConfChange: this.#applyConfChange,
          leaderChanged: (leadership) => {
            if (leadership.leader !== 0n) this.#metrics.server.leaderChanges.value++;
            this.#leaderChanged(leadership.role === "leader");
          },
          fatal: this.#fatal,
        },
        (error, started) => {
          if (error !== null) reject(error);
          else resolve(started);
        },
      );
    });
  }

  #connect(state: State, { node }: StartedNode): void {
    const backend = must(this.#backend);
    const { writer, store, lessor, cluster, alarms } = state;
    this.#node = node;
    // Durable with the first entry: a crash before that leaves them to the next start.
    if (state.applied.index === 0) writeFirstRows(writer);
    const proposer = new RaftProposer({
      node,
      requestBytesMax: this.#config.maxRequestBytes,
      overlayBytes: () => writer.overlayBytes,
      overlayBytesMax: this.#io.overlayBytesMax,
    });
    this.#proposer = proposer;
    const limit = this.#config.quotaBackendBytes;
    let usedBytes = backend.size().inUse;
    const quota = new Quota(limit === Infinity ? 0 : limit, () => usedBytes + writer.overlayBytes);
    this.#guard = new SpaceGuard({ quota, proposer, alarms, localId: cluster.localId });
    const guard = this.#guard;
    this.#applier = new Applier({
      ...{ store, lessor, cluster, alarms, quota, waiters: node.proposals },
      times: new ApplyTimes(this.#io.clock, this.#metrics.server.applySeconds),
      onNoSpace: () => {
        guard.raise();
      },
    });
    writer.addListener({
      durable: (_batch, index) => {
        usedBytes = backend.size().inUse;
        if (!this.#isClosing) node.releaseTo(index); // SV2
        proposer.resume();
      },
    });
  }

  readonly #apply = (entry: Entry): void => {
    // A new leader's first entry is empty.
    if (entry.data.length > 0) must(this.#applier).apply(entry.data);
    must(this.#state).writer.applied(entry.index, entry.term);
  };

  readonly #applyConfChange = (entry: Entry): void => {
    const { cluster, writer } = must(this.#state);
    const node = must(this.#node);
    const change = decodeConfChange(entry.data);
    if (change.type === ConfChangeType.addNode) {
      const member = decodeMember(new TextDecoder().decode(change.context));
      cluster.add(member);
      this.#io.log.info("added member", {
        "cluster-id": cluster.id.toString(16),
        "local-member-id": cluster.localId.toString(16),
        "added-peer-id": member.id.toString(16),
        "added-peer-peer-urls": member.peerUrls,
      });
    }
    const type = change.type as ConfChangeType;
    writeConfState(writer, node.applyConfChange({ type, nodeId: change.nodeId }));
    writer.applied(entry.index, entry.term);
  };

  #leaderChanged(isLeader: boolean): void {
    const { lessor } = must(this.#state);
    if (!isLeader) {
      lessor.demote();
      return;
    }
    lessor.promote(this.#config.electionTimeoutMs);
    this.#whenLeading();
  }

  /** Runs the node and resolves when the cluster knows this member (SV1). */
  #runUntilPublished(node: Node): Promise<void> {
    const { cluster } = must(this.#state);
    return new Promise((resolve) => {
      this.#whenLeading = () => {
        this.#whenLeading = () => undefined;
        const { log, clock } = this.#io;
        publish({
          ...{ cluster, log, clock, proposer: must(this.#proposer) },
          name: this.#config.name,
          clientUrls: this.#config.advertiseClientUrls.map((url) => url.text),
          done: resolve,
        });
      };
      node.start();
    });
  }

  #whenLeading: () => void = () => undefined;

  readonly #proposeRevoke = (id: bigint): void => {
    const out = new Writer(16);
    encodeLeaseIdRequest(out, id);
    this.#proposer?.propose(requestField.leaseRevoke, out.view(), nobody);
  };

  /** SV3 */
  readonly #fatal = (error: Error): void => {
    this.#io.log.fatal("the member cannot go on", { error: error.message });
  };
}

/** The lessor proposes again if the lease is still there. */
const nobody = { applied: () => undefined, failed: () => undefined };

/** Before anything else is written: who this member is, for good. */
function newIdentity(config: ServerConfig, directory: DataDir): DataDirIdentity {
  const { clusterId, memberId } = identifyNew(config);
  directory.saveIdentity({ clusterId, memberId });
  return { clusterId, memberId };
}

function identifyNew(config: ServerConfig): Identity {
  const problem = checkBootstrap(config);
  if (problem !== null) throw new Error(problem);
  const members = new Map(
    [...parseInitialCluster(config.initialCluster)].map(([name, urls]) => [
      name,
      urls.map((url) => url.text),
    ]),
  );
  const sha1 = (bytes: Uint8Array): Uint8Array => createHash("sha1").update(bytes).digest();
  return identify({ members, token: config.initialClusterToken, localName: config.name }, sha1);
}
