import { assert } from "../base/assert.ts";
import { errNoLeader, errRequestTooManyRequests, errStopped } from "../base/etcd-errors.ts";
import type { EtcdError } from "../base/etcd-errors.ts";
import type { Timer } from "../base/ports.ts";
import { MessageType, type ConfChange, type Message } from "../raft/message.ts";
import type { ProposeResult, RawNode, Ready } from "../raft/raw-node.ts";
import type { MemoryStorage } from "../raft/storage.ts";
import { EntryType } from "../raft/types.ts";
import type { ConfState, Entry, RaftId, SnapshotMetadata, SoftState } from "../raft/types.ts";
import { ApplyQueue } from "./apply-queue.ts";
import { ForwardedProposals } from "./forwarded-proposals.ts";
import type { NodeOptions, NodeParts } from "./node-options.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadGate } from "./read-gate.ts";
import type { Wal } from "./wal/wal.ts";

// N1  Nothing is applied before it is committed and synced here; entries are applied in order, each
//     once.
// N2  Messages that promise something leave only after the sync they promise.
// N3  One WAL append per Ready, at the end of a turn; the next batch fills while the disk works.
// N4  After a failure of the disk nothing more is written, applied or answered.
// N5  A snapshot is in the log before it is installed, and nothing is applied until it is.
// N6  A leader whose own disk or event loop stood still for an election timeout steps down: what it
//      believes about the cluster may be old.
// N7  Raft gets no proposal while it would drop it for want of a leader: what clients ask for is
//      held by the proposer (PP2), what other members forward is held here (FP1).

const nodeLimits = {
  /** Committed entries that may wait to be applied before proposals are refused (as in etcd). */
  applyGapMax: 5000,
  /** Applying longer than this in one turn goes on in the next one. */
  applySliceMs: 5,
  /** Entries, and at most so many segments, that the WAL keeps for members that lag. */
  catchUpEntries: 5000,
  catchUpSegmentsMax: 3,
  /** Applied entries between two trims of the in-memory log (as in etcd). */
  trimEntries: 100,
} as const;

/** A Ready whose sync is not complete. */
interface Outstanding {
  readonly ready: Ready;
  readonly since: number;
  ticket: number;
  /** Its snapshot is on its way into the state machine. */
  isInstalling: boolean;
}

/** The loop between raft, the log on disk and the state machine. */
export class Node {
  readonly proposals: Proposals;
  readonly gate: ReadGate;
  readonly #options: NodeOptions;
  readonly #raft: RawNode;
  readonly #storage: MemoryStorage;
  readonly #wal: Wal;
  readonly #outstanding: Outstanding[] = [];
  readonly #queue: ApplyQueue;
  readonly #forwarded = new ForwardedProposals();
  #trimmedAt: number;
  /** To be told if the snapshot given to raft leads to no install. */
  #passedOver: (() => void) | null = null;
  #tickedAt = 0;
  #isScheduled = false;
  #isProcessing = false;
  #isStopped = false;
  #timer: Timer | null = null;

  constructor(parts: NodeParts, options: NodeOptions, applied: { index: number; term: number }) {
    this.#raft = parts.raft;
    this.#storage = parts.storage;
    this.#wal = parts.wal;
    this.proposals = parts.proposals;
    this.gate = parts.gate;
    this.#options = options;
    this.#queue = new ApplyQueue({ ...options, apply: this.#applyOne }, applied);
    this.#trimmedAt = applied.index;
  }

  get commitIndex(): number {
    return this.#raft.commit;
  }
  get appliedIndex(): number {
    return this.#queue.appliedIndex;
  }
  get appliedTerm(): number {
    return this.#queue.appliedTerm;
  }
  get term(): number {
    return this.#raft.term;
  }
  /** 0n when none is known. */
  get leader(): RaftId {
    return this.#raft.leader;
  }
  get isLeader(): boolean {
    return this.#raft.role === "leader";
  }
  /** A leader is known, and it is not about to hand over; proposals are refused otherwise (N7). */
  get takesProposals(): boolean {
    return this.#raft.leader !== 0n && this.#raft.transferee === 0n;
  }
  /** How often applying a few entries took longer than `slowApplyMs`. */
  get slowApplies(): number {
    return this.#queue.slowRuns;
  }
  get confState(): ConfState {
    return this.#raft.confState;
  }
  get wal(): Wal {
    return this.#wal;
  }

  /** Begins to run. Time starts when everything known to be committed was applied. */
  start(): void {
    this.#schedule();
  }

  /**
   * Puts a request into the log. null: accepted, it will be applied unless leadership is lost.
   * `data` is kept by reference and must never change.
   */
  propose(data: Uint8Array): EtcdError | null {
    if (this.#isStopped) return errStopped;
    if (this.#raft.commit - this.appliedIndex > nodeLimits.applyGapMax) {
      return errRequestTooManyRequests;
    }
    return this.#proposed(this.#raft.propose(data));
  }

  /** As propose, past the bound on what waits to be applied: for the member's own requests. */
  proposeFirst(data: Uint8Array): EtcdError | null {
    if (this.#isStopped) return errStopped;
    return this.#proposed(this.#raft.propose(data));
  }

  /** As propose, for an encoded ConfChange. One at a time: refused while another is not applied. */
  proposeConfChange(data: Uint8Array): EtcdError | null {
    if (this.#isStopped) return errStopped;
    return this.#proposed(this.#raft.proposeConfChange(data));
  }

  /** Takes in a message of another member, checked by the transport. */
  step(message: Message): void {
    if (this.#isStopped) return;
    if (message.type === MessageType.propose && !this.takesProposals) {
      this.#forwarded.hold(message, this.#options.clock.now()); // N7
      return;
    }
    this.#raft.step(message);
    this.#schedule();
  }

  /**
   * Takes in a snapshot whose state is prepared. `passedOver` is called if raft has no use for it.
   */
  stepSnapshot(message: Message, passedOver: () => void): void {
    if (this.#isStopped) return;
    this.#passedOver?.();
    this.#passedOver = passedOver;
    this.step(message);
  }

  reportUnreachable(id: RaftId): void {
    if (!this.#isStopped) this.#raft.reportUnreachable(id);
  }

  /** What became of the snapshot sent to this member. */
  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    if (this.#isStopped) return;
    this.#raft.reportSnapshot(id, isDelivered);
    this.#schedule();
  }

  /** Begins to hand leadership over. The leader's log says whether it went through. */
  transferLeader(to: RaftId): void {
    if (this.#isStopped) return;
    this.#raft.transferLeadership(to);
    this.#schedule();
  }

  /** Lets the election timer run forward. */
  advance(ticks: number): void {
    if (this.#isStopped || this.isLeader) return;
    for (let tick = 0; tick < ticks; tick++) this.#raft.tick();
    this.#schedule();
  }

  /** The other members as a leader knows them; empty elsewhere. */
  progress(): ReturnType<RawNode["progress"]> {
    return this.#raft.progress();
  }

  /** To be called from the applyConfChange callback; returns the configuration from now on. */
  applyConfChange(change: ConfChange): ConfState {
    return this.#raft.applyConfChange(change);
  }

  /** Entries up to `index` are durable in the backend: the WAL may let them go. */
  releaseTo(index: number): void {
    assert(index <= this.appliedIndex, () => `release to ${index}, above what is applied`);
    // A member that restarts should still have what another one lacks.
    const isShort = this.#wal.segmentCount <= nodeLimits.catchUpSegmentsMax;
    this.#wal.releaseTo(isShort ? index - nodeLimits.catchUpEntries : index);
  }

  /** Gives every waiter errStopped, waits for the disk and closes the log. */
  stop(done: () => void): void {
    this.#end();
    this.#wal.close(done);
  }

  /** The WAL reports progress here. */
  walDurable(): void {
    // Inside of process() the loop looks for itself.
    if (!this.#isProcessing) this.#schedule();
  }

  /** The WAL reports its end here (N4). */
  walFailed(error: Error): void {
    if (this.#isStopped) return;
    this.#end();
    this.#options.fatal(error);
  }

  /** There is work at the end of this turn. */
  wake(): void {
    this.#schedule();
  }

  #end(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.gate.stop();
    this.proposals.stop();
  }

  #proposed(result: ProposeResult): EtcdError | null {
    switch (result) {
      case "accepted":
        this.#schedule();
        return null;
      case "noLeader":
      case "transferring":
        this.proposals.failures++;
        return errNoLeader;
      case "overloaded":
      case "confChangePending":
        this.proposals.failures++;
        return errRequestTooManyRequests;
    }
  }

  readonly #tick = (): void => {
    const now = this.#options.clock.now();
    if (this.isLeader && this.#isStalled(now)) this.#raft.stepDown(); // N6
    this.#tickedAt = now;
    this.#raft.tick();
    this.gate.tick(now, this.#requestRead);
    this.proposals.sweep(now);
    if (!this.takesProposals) this.#forwarded.expire(now - this.#options.electionTimeoutMs);
    this.#schedule();
    if (!this.#isStopped) this.#timer = this.#options.clock.after(this.#options.tickMs, this.#tick);
  };

  #isStalled(now: number): boolean {
    const { electionTimeoutMs } = this.#options;
    const { voters } = this.#raft.confState;
    if (voters.length === 1) return false; // nobody else could know better
    const oldest = this.#outstanding[0]?.since ?? now;
    return now - this.#tickedAt > electionTimeoutMs || now - oldest > electionTimeoutMs;
  }

  readonly #requestRead = (context: number): boolean => this.#raft.readIndex(context);

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#options.turn.atEnd(this.#process);
  }

  /** End of a turn: hands new work to the disk first, then applies while the disk is busy. */
  readonly #process = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const deadline = this.#options.clock.now() + nodeLimits.applySliceMs;
    this.#isProcessing = true;
    this.#settle();
    this.gate.begin(this.#requestRead);
    let isLate = false;
    while (!this.#isStopped && !isLate && (this.#raft.hasReady() || this.#queue.hasWork)) {
      if (this.#raft.hasReady()) this.#handle(this.#raft.ready());
      if (this.#isStopped) break; // the write in handle() failed (N4)
      isLate = this.#applySlice(deadline);
      this.#settle();
    }
    if (!this.#isStopped && this.takesProposals) this.#proposeHeld();
    this.#isProcessing = false;
    if (isLate) this.#options.turn.next(this.#process);
    else if (this.#timer === null && this.appliedIndex >= this.#raft.commit) this.#startTicking();
  };

  #proposeHeld(): void {
    for (const message of this.#forwarded.take()) {
      // From here now: who sent it may be who leads, and raft sends nothing back (FP1).
      this.step({ ...message, from: this.#raft.status().id });
    }
    this.#options.takesProposals?.();
  }

  #startTicking(): void {
    this.#tickedAt = this.#options.clock.now();
    this.#tick();
  }

  #handle(ready: Ready): void {
    const { softState, hardState, messages } = ready;
    if (this.#passedOver !== null) this.#settleSnapshot(ready.snapshot !== null);
    if (softState !== null) this.#leaderChanged(softState);
    if (messages.length > 0) this.#options.send?.(messages);
    if (ready.snapshot !== null) this.#queue.beginInstall(); // N5
    if (ready.committedEntries.length > 0) this.#queue.add(ready.committedEntries);
    for (const read of ready.readStates) {
      this.gate.confirmed(read.context, read.index, this.appliedIndex);
    }
    if (ready.mustSync) {
      const outstanding = {
        ready,
        since: this.#options.clock.now(),
        ticket: Infinity,
        isInstalling: false,
      };
      this.#outstanding.push(outstanding);
      const { snapshot } = ready;
      if (snapshot !== null) this.#wal.beginBehind(snapshot.index, snapshot.term, hardState);
      outstanding.ticket = this.#wal.append(hardState, ready.entries);
      return;
    }
    if (hardState !== null) this.#wal.noteCommit(hardState);
    if (ready.messagesAfterSync.length > 0) {
      const before = this.#outstanding[this.#outstanding.length - 1];
      const ticket = before?.ticket ?? this.#wal.durableTicket;
      this.#outstanding.push({
        ready,
        since: this.#options.clock.now(),
        ticket,
        isInstalling: false,
      });
    }
  }

  #settleSnapshot(isTaken: boolean): void {
    const passedOver = this.#passedOver;
    this.#passedOver = null;
    if (!isTaken) passedOver?.();
  }

  /** The snapshot is in the log; raft hears of it when it is the state here, too. */
  #install(outstanding: Outstanding, metadata: SnapshotMetadata): void {
    const { installSnapshot } = this.#options;
    assert(installSnapshot !== undefined, "a snapshot came to a member that cannot install one");
    outstanding.isInstalling = true;
    installSnapshot(metadata, () => {
      if (this.#isStopped) return;
      this.#storage.applySnapshot(metadata);
      this.#queue.installed(metadata);
      this.#trimmedAt = metadata.index;
      this.#outstanding.shift();
      this.#finish(outstanding.ready);
      this.#appliedRun();
      this.#schedule();
    });
  }

  /** Tells raft which Readys the disk has completed (N2). */
  #settle(): void {
    const durable = this.#wal.durableTicket;
    while (this.#outstanding.length > 0 && this.#outstanding[0]!.ticket <= durable) {
      const first = this.#outstanding[0]!;
      if (first.isInstalling) return;
      const { snapshot } = first.ready;
      if (snapshot !== null) {
        this.#install(first, snapshot);
        return;
      }
      this.#outstanding.shift();
      this.#finish(first.ready);
    }
  }

  #finish(ready: Ready): void {
    this.#storage.append(ready.entries);
    this.#raft.synced(ready.number);
    if (ready.messagesAfterSync.length > 0) this.#options.send?.(ready.messagesAfterSync);
  }

  readonly #applyOne = (entry: Entry): void => {
    if (entry.type === EntryType.normal) {
      this.#options.apply(entry);
      return;
    }
    // Configuration arithmetic relies on raft knowing that everything before was applied.
    this.#raft.appliedTo(entry.index - 1);
    this.#options.applyConfChange(entry);
  };

  /** Applies until nothing is left (false) or the time is up (true). */
  #applySlice(deadline: number): boolean {
    const before = this.#queue.appliedIndex;
    const isLate = this.#queue.run(deadline);
    if (this.#queue.appliedIndex > before) this.#appliedRun();
    return isLate;
  }

  #appliedRun(): void {
    const applied = this.#queue.appliedIndex;
    this.#raft.appliedTo(applied);
    this.#options.appliedTo?.(applied);
    this.gate.appliedTo(applied);
    if (applied - this.#trimmedAt < nodeLimits.trimEntries) return;
    this.#trimmedAt = applied;
    // Who gets a snapshot goes on with the entries behind it.
    const viewIndex = this.#options.oldestViewIndex?.() ?? applied;
    this.#storage.trim(applied, Math.min(viewIndex, this.#raft.wantedFrom));
  }

  #leaderChanged(state: SoftState): void {
    const { clock, log, leaderChanged } = this.#options;
    const term = this.#raft.term;
    if (state.leader === 0n) {
      this.gate.leaderLost();
    } else {
      if (state.role === "leader") this.proposals.leaderElected(clock.now());
      this.gate.retry(this.#requestRead);
    }
    log.info("raft state changed", { role: state.role, leader: state.leader.toString(16), term });
    leaderChanged?.(state, term);
  }
}
