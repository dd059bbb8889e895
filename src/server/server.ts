import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { must } from "../base/assert.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { nodeDirectory } from "../io/node-directory.ts";
import { createNodeDisk } from "../io/node-disk.ts";
import { nodeImageFile } from "../io/node-image-file.ts";
import { lockFile } from "../io/node-lock.ts";
import type { Backend } from "./backend/backend.ts";
import { clearPrepared } from "./backend/lmdb-prepared.ts";
import { bootstrap, firstMembers, type BootstrapPlan } from "./bootstrap.ts";
import { Ports } from "./client-port.ts";
import type { ServerConfig } from "./config/config.ts";
import { ServerCore } from "./core.ts";
import { openDataDir, type DataDir } from "./data-dir.ts";
import type { HttpGet } from "./join.ts";
import { endRemovedMember } from "./member/removal.ts";
import { MemberMetrics } from "./member-metrics.ts";
import { measureBackend, measureDisk } from "./metrics/measured.ts";
import { closeBackend, openBackend } from "./open-backend.ts";
import { listenPeers } from "./peer/listener.ts";
import { createPeerClient, createPeerTransport } from "./peer/live-transport.ts";
import type { LivePeerTransport, PeerListener } from "./peer/peer-options.ts";
import type { PeerEvents, PeerTransport } from "./peer/peer-port.ts";
import { requestTimeout } from "./request-timeout.ts";
import type { RunningServer, ServerIo, StartServer } from "./start.ts";

/** The composition root: gives the core its adapters and listeners, and ends them in order. */
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
  #core: ServerCore | null = null;
  #ports: Ports | null = null;
  #transport: LivePeerTransport | null = null;
  #peers: PeerListener | null = null;
  #isRemoved = false;

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
    const plan = await this.#plan(directory);
    // Before anything else is written: who this member is, for good.
    if (directory.identity === null) directory.saveIdentity(plan);
    const walDirectory = config.walDir || directory.walPath;
    const lmdb = await openBackend({
      ...{ directory, walDirectory, clock, turn, random },
      identity: plan,
    });
    const backend = measureBackend(lmdb, clock, this.#metrics.disk);
    this.#backend = backend;
    const core = await this.#openCore(directory, plan, backend);
    this.#core = core;
    this.#ports = new Ports({ config, io: this.#io, core, backend, metrics: this.#metrics });
    this.#peers = await this.#listenPeers(core);
    await new Promise<void>((resolve) => {
      core.start(resolve);
    });
    await this.#ports.listen();
    log.info("ready to serve client requests");
    this.#ports.announce();
    this.#io.ready();
  }

  async close(): Promise<void> {
    const { name, dataDir } = this.#config;
    this.#io.log.info("closing etcd server", { name, "data-dir": dataDir });
    try {
      await this.#handOver();
      await this.#ports?.close(closeGraceMs);
      await this.#closeCore();
    } finally {
      this.#directory?.release();
    }
    this.#io.log.info("closed etcd server", { name, "data-dir": dataDir });
  }

  /** Clients are served until another member leads, or none can. */
  #handOver(): Promise<void> {
    const core = this.#core;
    return new Promise((resolve) => {
      if (core === null) resolve();
      else core.life.transfers.handOver(resolve);
    });
  }

  #listenPeers(core: ServerCore): Promise<PeerListener> {
    const { clock, log } = this.#io;
    return new Promise((resolve, reject) => {
      listenPeers(
        {
          ...{ clock, log, inbound: must(this.#transport).inbound },
          urls: this.#config.listenPeerUrls.map((url) => url.text),
          services: core.peerServices,
        },
        (error, listener) => {
          if (listener === null) reject(error ?? new Error("Cannot listen for peers"));
          else resolve(listener);
        },
      );
    });
  }

  /** Asks a member before there is a transport. */
  readonly #get: HttpGet = (url, timeoutMs, done) => {
    const at = url.lastIndexOf("/");
    const request = { method: "GET", path: url.slice(at), timeoutMs } as const;
    createPeerClient({ clock: this.#io.clock }).call(
      [url.slice(0, at)],
      request,
      (error, answer) => {
        done(error, { ...answer, clusterId: answer.header("x-etcd-cluster-id") });
      },
    );
  };

  #connect(plan: BootstrapPlan, events: PeerEvents): PeerTransport {
    const { clock, turn, log } = this.#io;
    const config = this.#config;
    const transport = createPeerTransport({
      ...{ clock, turn, log, events, metrics: this.#metrics.peers },
      identity: {
        localId: plan.memberId,
        clusterId: plan.clusterId,
        peerUrls: config.initialAdvertisePeerUrls.map((url) => url.text),
      },
      heartbeatIntervalMs: config.heartbeatIntervalMs,
    });
    this.#transport = transport;
    return transport;
  }

  async #closeCore(): Promise<void> {
    const [core, backend, peers] = [this.#core, this.#backend, this.#peers];
    const transport = this.#transport;
    if (core !== null)
      await new Promise<void>((resolve) => {
        core.stop(resolve);
      });
    if (transport !== null)
      await new Promise<void>((resolve) => {
        transport.stop(resolve);
      });
    if (peers !== null)
      await new Promise<void>((resolve) => {
        peers.close(resolve);
      });
    if (backend !== null) await closeBackend(backend);
  }

  #plan(directory: DataDir): Promise<BootstrapPlan> {
    const config = this.#config;
    const { identity } = directory;
    const walPath = config.walDir || directory.walPath;
    const names = nodeDirectory.stat(walPath) === null ? [] : nodeDirectory.list(walPath);
    return new Promise((resolve, reject) => {
      bootstrap(
        {
          ...{ config, sha1, log: this.#io.log, get: this.#get },
          existing: identity === null ? null : { ...identity, isEmpty: !names.some(isSegment) },
          requestTimeoutMs: requestTimeout(config.electionTimeoutMs),
        },
        (error, plan) => {
          if (plan === null) reject(error ?? new Error("Cannot plan the start"));
          else resolve(plan);
        },
      );
    });
  }

  #openCore(directory: DataDir, plan: BootstrapPlan, backend: Backend): Promise<ServerCore> {
    const { clock, turn, random, log, overlayBytesMax } = this.#io;
    const config = this.#config;
    const disk = createNodeDisk({ unsafeNoFsync: config.unsafeNoFsync });
    return new Promise((resolve, reject) => {
      ServerCore.open(
        {
          ...{ config, clock, turn, random, log, backend, overlayBytesMax },
          ids: { clusterId: plan.clusterId, localId: plan.memberId },
          isForcedAlone: plan.kind === "forceNew",
          checksum: nodeChecksum,
          sha1,
          disk: measureDisk(disk, clock, this.#metrics.disk),
          walDirectory: config.walDir || directory.walPath,
          imageFile: nodeImageFile(directory.indexImagePath),
          metrics: this.#metrics,
          newMembers: () => firstMembers(config, sha1),
          remotes: plan.peers,
          connect: (events) => this.#connect(plan, events),
          preparedPath: directory.preparedPath,
          removePrepared: () => {
            clearPrepared(dirname(directory.preparedPath));
          },
          removed: this.#removed,
          fatal: this.#fatal,
        },
        (error, core) => {
          if (core === null) reject(error ?? new Error("Cannot open the member"));
          else resolve(core);
        },
      );
    });
  }

  readonly #removed = (): void => {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    endRemovedMember(this.#io, this.#io.removed);
  };

  readonly #fatal = (error: Error): void => {
    this.#io.log.fatal("the member cannot go on", { error: error.message });
  };
}

const isSegment = (name: string): boolean => name.endsWith(".wal");

function sha1(bytes: Uint8Array): Uint8Array {
  return createHash("sha1").update(bytes).digest();
}
