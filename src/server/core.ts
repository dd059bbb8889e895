// CO1  Nothing is served before the member has published itself and everything committed is
//      applied.
// CO2  The WAL lets entries go only behind a durable backend commit that contains them.
// CO3  A failed disk write ends the process: no answer is given after it.

import type { Logger } from "../base/log.ts";
import type { Checksum, Clock, Disk, Random, Turn } from "../base/ports.ts";
import type { ConfChangeType } from "../raft/message.ts";
import { memoryStorageDefaults } from "../raft/storage.ts";
import type { Entry, SoftState } from "../raft/types.ts";
import { Applier } from "./apply/applier.ts";
import { ApplyTimes } from "./apply/apply-times.ts";
import { Quota } from "./apply/quota.ts";
import type { Backend } from "./backend/backend.ts";
import { bootstrapChanges, refuseLearners } from "./bootstrap.ts";
import { electionTicksOf, type ServerConfig } from "./config/config.ts";
import { createHashPeerService } from "./hash-peer-service.ts";
import { forceNewCluster, type ForcedLog } from "./force-new-cluster.ts";
import { ClusterLink } from "./cluster-link.ts";
import { LeaseRouter } from "./cluster-leases.ts";
import { LeaseExpiry } from "./lease-expiry.ts";
import { createLeasePeerServices } from "./lease-peer-services.ts";
import type { Member } from "./member/member.ts";
import type { Sha1 } from "./member/member-id.ts";
import { advanceElection } from "./member/tick-advance.ts";
import { MemberLife } from "./member-life.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import type { ImageFile } from "./mvcc/image-blocks.ts";
import type { Node } from "./node.ts";
import type { PeerEvents, PeerService, PeerTransport } from "./peer/peer-port.ts";
import { RaftProposer } from "./proposer.ts";
import { requestTimeout } from "./request-timeout.ts";
import { SnapshotExchange } from "./snapshot-exchange.ts";
import { SnapshotExports } from "./snapshot/snapshots.ts";
import { SpaceGuard } from "./space-guard.ts";
import { createNode, type StartNodeOptions } from "./start-node.ts";
import type { OpenedWal } from "./wal/open.ts";
import { installState, loadState, writeConfState, writeFirstRows, type State } from "./state.ts";

/** Everything a member needs from outside; nothing else reaches it. */
export interface CoreParts {
  readonly config: ServerConfig;
  readonly ids: { readonly clusterId: bigint; readonly localId: bigint };
  readonly clock: Clock;
  readonly turn: Turn;
  readonly random: Random;
  readonly log: Logger;
  readonly checksum: Checksum;
  readonly sha1: Sha1;
  readonly disk: Disk;
  readonly walDirectory: string;
  readonly walSettings?: StartNodeOptions["walSettings"];
  readonly backend: Backend;
  readonly imageFile: ImageFile;
  readonly metrics: MemberMetrics;
  /** Bound of rows that are not durable yet, in bytes. */
  readonly overlayBytesMax: number;
  /** The members of a new cluster; asked for only when the log is empty. */
  readonly newMembers: () => readonly Member[];
  /** Make this member, with its data, the only one of its cluster. */
  readonly isForcedAlone: boolean;
  /** Members of the cluster that this one joins, as its peers told. */
  readonly remotes: readonly Member[];
  /** Makes the transport to the other members. */
  readonly connect: (events: PeerEvents) => PeerTransport;
  /** Where the environment made from a received snapshot waits to be installed. */
  readonly preparedPath: string;
  readonly removePrepared: () => void;
  /** This member was removed from its cluster and must end. */
  readonly removed: () => void;
  /** The member cannot go on and must end (CO3). */
  readonly fatal: (error: Error) => void;
}

/** One member without its listeners: the log, the state machine, and what connects them. */
export class ServerCore {
  readonly state: State;
  readonly node: Node;
  readonly proposer: RaftProposer;
  readonly guard: SpaceGuard;
  readonly life: MemberLife;
  readonly snapshots: SnapshotExports;
  readonly link: ClusterLink;
  readonly leases: LeaseRouter;
  /** What other members may ask over the peer port. */
  readonly peerServices: readonly PeerService[];
  readonly #parts: CoreParts;
  readonly #applier: Applier;
  readonly #expiry: LeaseExpiry;
  #isClosing = false;
  #usedBytes: number;

  /** Reads the backend and the log. `done` gets the core, not yet running, or why there is none. */
  static open(
    parts: CoreParts,
    done: (error: Error | null, core: ServerCore | null) => void,
  ): void {
    // The node calls back only after start(), when the core is there.
    const target: { core: ServerCore | null } = { core: null };
    const state = loadState({
      ...parts,
      fail: parts.fatal,
      proposeRevoke: (id) => {
        target.core!.#expiry.expired(id);
      },
      proposeCheckpoints: (checkpoints) => {
        target.core!.leases.proposeCheckpoints(checkpoints);
      },
    });
    parts.log.info("kvstore restored", { "current-rev": state.store.currentRevision });
    const { config, ids } = parts;
    const refusal = refuseLearners(state.cluster.members(), config.maxLearners);
    if (refusal !== null) {
      state.writer.close();
      done(refusal, null);
      return;
    }
    createNode(
      {
        ...parts,
        clusterId: ids.clusterId,
        memberId: ids.localId,
        tickMs: config.heartbeatIntervalMs,
        electionTimeoutMs: config.electionTimeoutMs,
        electionTicks: electionTicksOf(config),
        applied: state.applied,
        confState: state.confState,
        bootstrap: () => bootstrapChanges(parts.newMembers()),
        ...(parts.isForcedAlone ? { force: (opened) => forceAlone(config, state, opened) } : {}),
        slowApplyMs: config.warningApplyDurationMs,
        apply: (entry) => target.core!.apply(entry),
        applyConfChange: (entry) => target.core!.applyConfChange(entry),
        leaderChanged: (leadership) => target.core!.leaderChanged(leadership),
        takesProposals: () => {
          target.core!.proposer.resume();
        },
        isConnectedSince: (sinceMs) => target.core!.link.isConnectedSince(sinceMs),
        send: (messages) => target.core!.link.send(messages),
        preVote: config.preVote,
        storageLimits: { ...memoryStorageDefaults, catchUpEntries: config.snapshotCatchupEntries },
        snapshotIndex: () => state.writer.durableIndex,
        oldestViewIndex: () => target.core!.snapshots.oldestIndex,
        installSnapshot: (_metadata, done) => target.core!.#install(done),
      },
      (error, started) => {
        if (error === null) target.core = new ServerCore(parts, state, started.node);
        else state.writer.close();
        done(error, target.core);
      },
    );
  }

  private constructor(parts: CoreParts, state: State, node: Node) {
    this.#parts = parts;
    this.state = state;
    this.node = node;
    const { backend, config, clock, metrics } = parts;
    const { writer, store, lessor, cluster, alarms } = state;
    // Durable with the first entry: a crash before that leaves them to the next start.
    if (state.applied.index === 0) writeFirstRows(writer);
    this.proposer = new RaftProposer({
      node,
      requestBytesMax: config.maxRequestBytes,
      overlayBytes: () => writer.overlayBytes,
      overlayBytesMax: parts.overlayBytesMax,
    });
    this.#expiry = new LeaseExpiry({ node, proposer: this.proposer, turn: parts.turn });
    this.#usedBytes = backend.size().inUse;
    const limit = config.quotaBackendBytes;
    const quota = new Quota(
      limit === Infinity ? 0 : limit,
      () => this.#usedBytes + writer.overlayBytes,
    );
    this.guard = new SpaceGuard({
      ...{ quota, alarms, proposer: this.proposer, localId: cluster.localId },
    });
    this.#applier = new Applier({
      ...{ store, lessor, cluster, alarms, quota, waiters: node.proposals },
      times: new ApplyTimes(clock, metrics.server.applySeconds),
      onNoSpace: () => {
        this.guard.raise();
      },
    });
    this.snapshots = new SnapshotExports({ backend, writer, clock, turn: parts.turn });
    writer.addListener({
      durable: (_batch, index) => {
        this.#usedBytes = backend.size().inUse;
        // CO2; and a peer that gets a snapshot goes on from the log behind it.
        if (!this.#isClosing) node.releaseTo(Math.min(index, this.snapshots.oldestIndex));
        this.proposer.resume();
      },
    });
    this.link = new ClusterLink({
      ...{ cluster, node, connect: parts.connect, removed: parts.removed },
      exchange: (link) => this.#exchange(link),
    });
    this.link.addRemotes(parts.remotes);
    this.life = new MemberLife({
      ...{ config, cluster, node, clock, proposer: this.proposer, status: this.link },
      ...{ log: parts.log, sha1: parts.sha1, peers: this.link.transport },
      transferLeader: (to) => {
        node.transferLeader(to);
      },
    });
    this.leases = new LeaseRouter({
      ...{ lessor, node, clock, proposer: this.proposer, peers: this.link.transport },
      requestTimeoutMs: requestTimeout(config.electionTimeoutMs),
    });
    const leaseServices = createLeasePeerServices({
      ...{ leases: this.leases, ids: parts.ids },
      exists: (id) => lessor.exists(id),
      currentRevision: () => store.currentRevision,
      raftTerm: () => node.term,
    });
    const hashService = createHashPeerService({ store, log: parts.log });
    this.peerServices = [...this.life.peerServices, ...leaseServices, hashService];
    metrics.connect({ state, backend, node });
  }

  /** Begins to run; `published` is called once, when the cluster knows this member (CO1). */
  start(published: () => void): void {
    this.life.start(published);
    this.node.start();
    const { clock, log, config } = this.#parts;
    const tickMs = config.heartbeatIntervalMs;
    advanceElection({
      ...{ clock, log, tickMs, localId: this.state.cluster.localId },
      memberCount: this.state.cluster.members().length,
      electionTicks: electionTicksOf(config),
      isWanted: config.initialElectionTickAdvance,
      activePeers: () => this.link.activeMembers() - 1,
      advance: (ticks) => {
        this.node.advance(ticks);
      },
    });
  }

  /** Nothing is proposed any more, then nothing read, then what was applied is made durable. */
  stop(done: () => void): void {
    this.#isClosing = true;
    this.life.stop();
    this.snapshots.close();
    const { state, node } = this;
    node.stop(() => {
      state.lessor.demote();
      state.store.close();
      state.writer.commit(() => {
        state.saveImage();
        state.writer.close();
        done();
      });
    });
  }

  apply(entry: Entry): void {
    // A new leader's first entry is empty.
    if (entry.data.length > 0) this.#applier.apply(entry.data);
    this.state.writer.applied(entry.index, entry.term);
  }

  applyConfChange(entry: Entry): void {
    const { writer } = this.state;
    const { type, nodeId } = this.#applier.applyConfChange(entry.data);
    const confState = this.node.applyConfChange({ type: type as ConfChangeType, nodeId });
    if (nodeId !== 0n) writeConfState(writer, confState);
    writer.applied(entry.index, entry.term);
  }

  #exchange(link: ClusterLink): SnapshotExchange {
    const { backend, log, preparedPath, removePrepared } = this.#parts;
    const { node, snapshots } = this;
    return new SnapshotExchange({
      ...{ backend, snapshots, log, preparedPath, removePrepared, transport: link.transport },
      appliedIndex: () => node.appliedIndex,
      step: (message, passedOver) => {
        node.stepSnapshot(message, passedOver);
      },
      failed: (to) => {
        node.reportSnapshot(to, false);
      },
    });
  }

  /** The snapshot that raft took over becomes the state; its members are the cluster's. */
  #install(done: () => void): void {
    const { state, link } = this;
    const members = state.cluster.members();
    installState(state, this.#parts.preparedPath, () => {
      if (this.#isClosing) return;
      link.exchange.installed();
      link.reload(members);
      done();
      this.life.installed(); // proposes, which is refused as long as much seems to be unapplied
    });
  }

  leaderChanged(leadership: SoftState): void {
    const { lessor } = this.state;
    const { config, metrics } = this.#parts;
    if (leadership.leader !== 0n) metrics.server.leaderChanges.value++;
    this.life.leaderChanged(leadership);
    if (leadership.role !== "leader") {
      lessor.demote();
      return;
    }
    lessor.promote(config.electionTimeoutMs);
  }
}

function forceAlone(config: ServerConfig, state: State, opened: OpenedWal): ForcedLog {
  return forceNewCluster({
    ...opened,
    cluster: state.cluster,
    appliedIndex: state.applied.index,
    peerUrls: config.initialAdvertisePeerUrls.map((url) => url.text),
  });
}
