import { assert } from "../base/assert.ts";
import { errNoLeader, errRequestTooManyRequests, errStopped } from "../base/etcd-errors.ts";
import type { EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock, Timer, Turn } from "../base/ports.ts";
import type { ConfChange, Message } from "../raft/message.ts";
import type { ProposeResult, RawNode, Ready } from "../raft/raw-node.ts";
import type { MemoryStorage } from "../raft/storage.ts";
import { EntryType } from "../raft/types.ts";
import type { ConfState, Entry, RaftId, SoftState } from "../raft/types.ts";
import { formatDuration } from "./config/go-values.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadGate } from "./read-gate.ts";
import type { Wal } from "./wal/wal.ts";

// N1  Nothing is applied before it is committed and synced here; entries are applied in order, each
//     once.
// N2  Messages that promise something leave only after the sync they promise.
// N3  One WAL append per Ready, at the end of a turn; the next batch fills while the disk works.
// N4  After a failure of the disk nothing more is written, applied or answered.

const nodeLimits = {
  /** Committed entries that may wait to be applied before proposals are refused (as in etcd). */
  applyGapMax: 5000,
  /** Applying longer than this in one turn goes on in the next one. */
  applySliceMs: 5,
  /** Entries between two looks at the clock. */
  applyEntriesPerCheck: 8,
  /** Applied entries between two trims of the in-memory log (as in etcd). */
  trimEntries: 100,
} as const;

export interface NodeParts {
  readonly raft: RawNode;
  readonly storage: MemoryStorage;
  readonly wal: Wal;
  readonly proposals: Proposals;
  readonly gate: ReadGate;
}

export interface NodeOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly tickMs: number;
  /** Applying a few entries for longer than this is counted and logged. */
  readonly slowApplyMs: number;
  /** Applies a normal entry, an empty one too: each moves the consistent index. */
  readonly apply: (entry: Entry) => void;
  /** Applies a configuration entry: decodes it, calls applyConfChange, records the result. */
  readonly applyConfChange: (entry: Entry) => void;
  /** Everything up to here was applied; called after each run of entries. */
  readonly appliedTo?: (index: number) => void;
  readonly leaderChanged?: (state: SoftState, term: number) => void;
  readonly send?: (messages: readonly Message[]) => void;
  /** The member cannot go on and must end (N4). Called once. */
  readonly fatal: (error: Error) => void;
}

/** A Ready whose sync is not complete. */
interface Outstanding {
  readonly ready: Ready;
  ticket: number;
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
  /** Committed entries to apply, and how far into the first run we are. */
  readonly #toApply: (readonly Entry[])[] = [];
  #toApplyAt = 0;
  #applied: number;
  #appliedTerm: number;
  #trimmedAt: number;
  #slowApplies = 0;
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
    this.#applied = applied.index;
    this.#appliedTerm = applied.term;
    this.#trimmedAt = applied.index;
  }

  get commitIndex(): number {
    return this.#raft.commit;
  }
  get appliedIndex(): number {
    return this.#applied;
  }
  get appliedTerm(): number {
    return this.#appliedTerm;
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
  /** Runs of at most `applyEntriesPerCheck` entries that took longer than `slowApplyMs`. */
  get slowApplies(): number {
    return this.#slowApplies;
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
    if (this.#raft.commit - this.#applied > nodeLimits.applyGapMax) {
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

  /** To be called from the applyConfChange callback; returns the configuration from now on. */
  applyConfChange(change: ConfChange): ConfState {
    return this.#raft.applyConfChange(change);
  }

  /** Entries up to `index` are durable in the backend: the WAL may let them go. */
  releaseTo(index: number): void {
    assert(index <= this.#applied, () => `release to ${index}, applied ${this.#applied}`);
    this.#wal.releaseTo(index);
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
    this.#raft.tick();
    this.gate.tick(now, this.#requestRead);
    this.proposals.sweep(now);
    this.#schedule();
    if (!this.#isStopped) this.#timer = this.#options.clock.after(this.#options.tickMs, this.#tick);
  };

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
    while (!this.#isStopped && !isLate && (this.#raft.hasReady() || this.#toApply.length > 0)) {
      if (this.#raft.hasReady()) this.#handle(this.#raft.ready());
      if (this.#isStopped) break; // the write in handle() failed (N4)
      isLate = this.#applySlice(deadline);
      this.#settle();
    }
    this.#isProcessing = false;
    if (isLate) this.#options.turn.next(this.#process);
    else if (this.#timer === null && this.#applied >= this.#raft.commit) this.#tick();
  };

  #handle(ready: Ready): void {
    const { softState, hardState, messages } = ready;
    if (softState !== null) this.#leaderChanged(softState);
    if (messages.length > 0) this.#options.send?.(messages);
    if (ready.committedEntries.length > 0) this.#toApply.push(ready.committedEntries);
    for (const read of ready.readStates) {
      this.gate.confirmed(read.context, read.index, this.#applied);
    }
    if (ready.mustSync) {
      const outstanding = { ready, ticket: Infinity };
      this.#outstanding.push(outstanding);
      outstanding.ticket = this.#wal.append(hardState, ready.entries);
      return;
    }
    if (hardState !== null) this.#wal.noteCommit(hardState);
    if (ready.messagesAfterSync.length > 0) {
      const before = this.#outstanding[this.#outstanding.length - 1];
      this.#outstanding.push({ ready, ticket: before?.ticket ?? this.#wal.durableTicket });
    }
  }

  /** Tells raft which Readys the disk has completed (N2). */
  #settle(): void {
    const durable = this.#wal.durableTicket;
    while (this.#outstanding.length > 0 && this.#outstanding[0]!.ticket <= durable) {
      const { ready } = this.#outstanding.shift()!;
      this.#storage.append(ready.entries);
      this.#raft.synced(ready.number);
      if (ready.messagesAfterSync.length > 0) this.#options.send?.(ready.messagesAfterSync);
    }
  }

  /** Applies until nothing is left (false) or the time is up (true). */
  #applySlice(deadline: number): boolean {
    if (this.#toApply.length === 0) return false;
    let untilCheck: number = nodeLimits.applyEntriesPerCheck;
    let isLate = false;
    const before = this.#applied;
    let from = before;
    let checkedAt = this.#options.clock.now();
    while (this.#toApply.length > 0 && !isLate) {
      const entries = this.#toApply[0]!;
      const entry = entries[this.#toApplyAt]!;
      this.#applyOne(entry);
      this.#toApplyAt++;
      if (this.#toApplyAt === entries.length) {
        this.#toApply.shift();
        this.#toApplyAt = 0;
      }
      if (--untilCheck > 0 && this.#toApply.length > 0) continue;
      untilCheck = nodeLimits.applyEntriesPerCheck;
      const now = this.#options.clock.now();
      if (now - checkedAt > this.#options.slowApplyMs) this.#appliedSlowly(from, now - checkedAt);
      from = this.#applied;
      checkedAt = now;
      isLate = this.#toApply.length > 0 && now >= deadline;
    }
    if (this.#applied > before) this.#appliedRun();
    return isLate;
  }

  /** A look at the clock per entry would cost more than applying most; a few share one. */
  #appliedSlowly(after: number, tookMs: number): void {
    this.#slowApplies++;
    this.#options.log.warn("apply request took too long", {
      took: formatDuration(Math.round(tookMs * 1000) / 1000),
      "expected-duration": formatDuration(this.#options.slowApplyMs),
      "first-index": after + 1,
      "last-index": this.#applied,
    });
  }

  #applyOne(entry: Entry): void {
    assert(entry.index === this.#applied + 1, () => `apply ${entry.index} after ${this.#applied}`);
    this.#applied = entry.index; // before the callback: what it answers may look at the index
    this.#appliedTerm = entry.term;
    if (entry.type === EntryType.normal) {
      this.#options.apply(entry);
      return;
    }
    // Configuration arithmetic relies on raft knowing that everything before was applied.
    this.#raft.appliedTo(entry.index - 1);
    this.#options.applyConfChange(entry);
  }

  #appliedRun(): void {
    this.#raft.appliedTo(this.#applied);
    this.#options.appliedTo?.(this.#applied);
    this.gate.appliedTo(this.#applied);
    if (this.#applied - this.#trimmedAt < nodeLimits.trimEntries) return;
    this.#trimmedAt = this.#applied;
    this.#storage.trim(this.#applied);
  }

  #leaderChanged(state: SoftState): void {
    const { clock, log, leaderChanged } = this.#options;
    const term = this.#raft.term;
    if (state.leader === 0n) {
      this.gate.leaderLost();
    } else {
      this.proposals.leaderElected(clock.now());
      this.gate.retry(this.#requestRead);
    }
    log.info("raft state changed", { role: state.role, leader: state.leader.toString(16), term });
    leaderChanged?.(state, term);
  }
}
