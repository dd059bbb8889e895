import { isLearner, membersOf } from "./conf-change.ts";
import type { RaftCore } from "./core.ts";
import { MessageType, type Message } from "./message.ts";
import { Progress } from "./progress.ts";
import { jointVote } from "./quorum.ts";
import type { Entry, RaftId } from "./types.ts";
import type { MemberProgress } from "./status.ts";

// RP1  Appends leave when the Ready is taken: what was proposed in one turn shares a message.
// RP2  A heartbeat's commit index is not above the follower's match: it may have nothing else.
// RP3  An entry that is gone from memory is sent as a snapshot, to members heard from lately only.
// RP4  What follows a snapshot is wanted in memory until its member has it, however long the
//      snapshot takes: else another one would have to follow. A silent member is given up.

interface Peer {
  readonly id: RaftId;
  readonly progress: Progress;
  /** An append is due even without entries: it finds out where the member is. */
  isProbeDue: boolean;
  /** Entries above this follow the snapshot it gets; Infinity when there is none (RP4). */
  wantedFrom: number;
  /** It has caught up when it has this; Infinity until it has the snapshot. */
  wantedTo: number;
  /** Quorum checks since it was heard from. */
  silentChecks: number;
}

/** Quorum checks, of an election timeout each, that a silent member's entries are wanted for. */
const silentChecksMax = 30;

const noEntries: readonly Entry[] = [];
const noData = new Uint8Array(0);

/** The leader's view of the other members, and what it sends them to make their logs equal. */
export class Replicator {
  readonly #core: RaftCore;
  #peers: readonly Peer[] = [];
  readonly #byId = new Map<RaftId, Peer>();
  #isDue = false;
  /** Entries read for one follower serve the others that are at the same place. */
  #readFrom = 0;
  #read: readonly Entry[] | null = null;

  constructor(core: RaftCore) {
    this.#core = core;
    this.#track(core.log.lastIndex + 1, false);
  }

  /** There may be appends to send. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** The configuration changed: new members are probed from the last entry on. */
  membersChanged(): void {
    this.#track(Math.max(1, this.#core.log.lastIndex), true);
    this.logChanged();
  }

  /** Entries were added, or the commit index moved. */
  logChanged(): void {
    this.#isDue = this.#peers.length > 0;
  }

  /** What the member has synced; for this node itself too. */
  readonly matchOf = (id: RaftId): number => {
    if (id === this.#core.id) return this.#core.log.syncedIndex;
    return this.#byId.get(id)?.progress.match ?? 0;
  };

  progressOf(id: RaftId): Progress | undefined {
    return this.#byId.get(id)?.progress;
  }

  /** Whether a quorum was heard from since the last call. */
  takeActivity(): boolean {
    const { conf, id: self } = this.#core;
    const isActive = (id: RaftId): boolean =>
      id === self || this.#byId.get(id)?.progress.isRecentlyActive === true;
    const result = jointVote(conf.voters, conf.votersOutgoing, isActive);
    for (const peer of this.#peers) {
      peer.silentChecks = peer.progress.isRecentlyActive ? 0 : peer.silentChecks + 1;
      if (peer.silentChecks > silentChecksMax) forget(peer);
      peer.progress.isRecentlyActive = false;
    }
    return result === "won";
  }

  /** The member has synced up to the message's index. True: that is news. */
  acknowledged(message: Message): boolean {
    const peer = this.#byId.get(message.from);
    if (peer === undefined || message.index > this.#core.log.lastIndex) return false;
    const { progress } = peer;
    const isKnown = !progress.updatedTo(message.index);
    if (isKnown && (progress.match !== message.index || progress.state !== "probe")) return false;
    if (progress.state === "replicate") {
      progress.inflights.freeTo(message.index);
    } else if (progress.state === "probe") {
      progress.becomeReplicate();
    } else if (progress.match + 1 >= this.#core.log.firstIndex) {
      // Whatever snapshot arrived, the log in memory continues it.
      progress.becomeProbe();
      progress.becomeReplicate();
    }
    if (peer.wantedFrom !== Infinity && progress.state === "replicate") this.#follows(peer);
    this.#isDue = true;
    return true;
  }

  /** The member's log does not have the entry an append was to follow. */
  rejected(message: Message): void {
    const peer = this.#byId.get(message.from);
    if (peer === undefined) return;
    const { index, rejectHint, logTerm } = message;
    // Where our terms are above the hint's, the logs cannot agree: whole terms are skipped.
    const hint =
      logTerm > 0 ? this.#core.log.lastIndexWithin(rejectHint, logTerm).index : rejectHint;
    if (!peer.progress.decreaseTo(index, hint)) return;
    if (peer.progress.state === "replicate") peer.progress.becomeProbe();
    this.#probe(peer);
  }

  /** The member answered a heartbeat: an append that was lost may be made good now. */
  heard(id: RaftId): void {
    const peer = this.#byId.get(id);
    if (peer === undefined) return;
    peer.progress.resumeAppend();
    const isBehind = peer.progress.match < this.#core.log.lastIndex;
    if (isBehind || peer.progress.state === "probe") this.#probe(peer);
  }

  reportUnreachable(id: RaftId): void {
    const progress = this.#byId.get(id)?.progress;
    if (progress?.state === "replicate") progress.becomeProbe(); // appends were probably lost
  }

  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    const peer = this.#byId.get(id);
    if (peer?.progress.state !== "snapshot") return;
    const { progress } = peer;
    if (!isDelivered) {
      progress.snapshotFailed();
      forget(peer);
    }
    progress.becomeProbe();
    // Delivered: its acknowledgement comes next. Failed: the next heartbeat's answer tries again.
    progress.pauseAppend();
  }

  /** An append goes to the member even if there is nothing new. */
  probe(id: RaftId): void {
    const peer = this.#byId.get(id);
    if (peer !== undefined) this.#probe(peer);
  }

  sendHeartbeats(context: Uint8Array): void {
    const core = this.#core;
    for (const { id, progress } of this.#peers) {
      const commit = Math.min(progress.match, core.log.commit); // RP2
      core.send(MessageType.heartbeat, id, { commit, context });
      progress.sentCommit(commit);
    }
  }

  /** Sends all appends that are due and allowed (RP1). */
  flush(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    for (const peer of this.#peers) {
      const isNeeded = peer.isProbeDue || peer.progress.canAdvanceCommit(this.#core.log.commit);
      peer.isProbeDue = false;
      if (this.#append(peer, isNeeded)) while (this.#append(peer, false));
    }
    this.#read = null;
  }

  /** Entries above this should stay in memory; Infinity: none has to (RP4). */
  get wantedFrom(): number {
    let lowest = Infinity;
    for (const { wantedFrom } of this.#peers) lowest = Math.min(lowest, wantedFrom);
    return lowest;
  }

  progress(): MemberProgress[] {
    return this.#peers.map(({ id, progress }) => {
      const { match, next, state, isLearner, isRecentlyActive } = progress;
      return { id, match, next, state, isLearner, isRecentlyActive };
    });
  }

  /** The member goes on behind its snapshot (RP4). */
  #follows(peer: Peer): void {
    const { match } = peer.progress;
    if (peer.wantedTo === Infinity) peer.wantedTo = this.#core.log.lastIndex;
    if (match >= peer.wantedTo) forget(peer);
    else peer.wantedFrom = match;
  }

  #probe(peer: Peer): void {
    peer.isProbeDue = true;
    this.#isDue = true;
  }

  #track(next: number, isRecentlyActive: boolean): void {
    const { conf, config, id: self } = this.#core;
    const { inflightsMax, inflightBytesMax } = config;
    const ids = membersOf(conf).filter((id) => id !== self);
    const options = { next, inflightsMax, inflightBytesMax };
    this.#peers = ids.map((id) => {
      const known = this.#byId.get(id);
      if (known !== undefined) return known;
      const progress = new Progress({ ...options, isLearner: isLearner(conf, id) });
      progress.isRecentlyActive = isRecentlyActive;
      const nothing = { wantedFrom: Infinity, wantedTo: Infinity, silentChecks: 0 };
      return { id, progress, isProbeDue: false, ...nothing };
    });
    this.#byId.clear();
    for (const peer of this.#peers) {
      peer.progress.isLearner = isLearner(conf, peer.id);
      this.#byId.set(peer.id, peer);
    }
  }

  /** Sends one append; without entries only if `isNeeded`. False: nothing more can be sent now. */
  #append(peer: Peer, isNeeded: boolean): boolean {
    const { progress, id } = peer;
    if (progress.isPaused()) return false;
    const { log } = this.#core;
    const index = progress.next - 1;
    const logTerm = log.term(index);
    const entries = logTerm === null ? null : this.#nextEntries(progress);
    if (logTerm === null || entries === null) {
      this.#sendSnapshot(peer);
      return false;
    }
    if (entries.length === 0 && !isNeeded) return false;
    const { commit } = log;
    this.#core.send(MessageType.append, id, { index, logTerm, entries, commit });
    let bytes = 0;
    for (const entry of entries) bytes += entry.data.length;
    progress.sentEntries(entries.length, bytes);
    progress.sentCommit(commit);
    return true;
  }

  #nextEntries(progress: Progress): readonly Entry[] | null {
    // With a full window only an empty append goes: its answer shows what became of the others.
    if (progress.state === "replicate" && progress.inflights.isFull) return noEntries;
    const { log, config } = this.#core;
    if (progress.next > log.lastIndex) return noEntries;
    if (this.#read === null || this.#readFrom !== progress.next) {
      this.#read = log.entriesFrom(progress.next, config.messageBytesMax);
      this.#readFrom = progress.next;
    }
    return this.#read;
  }

  #sendSnapshot(peer: Peer): void {
    const { id, progress } = peer;
    if (!progress.isRecentlyActive) return; // RP3
    const metadata = this.#core.log.snapshot();
    if (metadata === null || metadata.index <= progress.match) return;
    progress.becomeSnapshot(metadata.index);
    peer.wantedFrom = metadata.index;
    peer.wantedTo = Infinity;
    this.#core.send(MessageType.snapshot, id, { snapshot: { metadata, data: noData } });
  }
}

/** Nothing is wanted for this member any more. */
function forget(peer: Peer): void {
  peer.wantedFrom = Infinity;
  peer.wantedTo = Infinity;
}
