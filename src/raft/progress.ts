import { assert } from "../base/assert.ts";
import { Inflights } from "./inflights.ts";

// P1  0 <= match < next. The entries between them are under way (replicate), or taken to be there.
// P2  match never goes back: it is what the follower has synced.
// P3  Messages are counted as under way in replicate only; a change of state forgets them.
// P4  pendingSnapshot is 0 outside snapshot; in snapshot next is the index behind it.
// P5  sentCommit is not above what the messages sent so far let the follower commit: it is below
//     next, except in probe, where next stays while a probe is under way.

/**
 * - probe: where the follower's log agrees is not known; one append at a time, next stays.
 * - replicate: it is known; appends follow each other and next runs ahead.
 * - snapshot: the follower needs a snapshot; no appends until it has one, or failed to get it.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

export interface ProgressOptions {
  /** First entry to send. >= 1. */
  readonly next: number;
  readonly isLearner: boolean;
  /** Most append messages under way. >= 1. */
  readonly inflightsMax: number;
  /** Bytes under way at which appends stop. >= 1; Infinity for no bound. */
  readonly inflightBytesMax: number;
}

/** One member's log as the leader sees it. */
export class Progress {
  readonly inflights: Inflights;
  isLearner: boolean;
  /** Whether anything came from the member since the leader last looked (check-quorum). */
  isRecentlyActive = true;
  #match = 0;
  #next: number;
  #state: ProgressState = "probe";
  #pendingSnapshot = 0;
  #isAppendPaused = false;
  #sentCommit = 0;

  constructor(options: ProgressOptions) {
    assert(options.next >= 1, () => `next ${options.next}`);
    this.inflights = new Inflights(options.inflightsMax, options.inflightBytesMax);
    this.isLearner = options.isLearner;
    this.#next = options.next;
  }

  /** The member has synced all entries up to here, and they are the leader's. */
  get match(): number {
    return this.#match;
  }

  /** The next entry to send. */
  get next(): number {
    return this.#next;
  }

  get state(): ProgressState {
    return this.#state;
  }

  /** Index of the snapshot under way; 0 for none. */
  get pendingSnapshot(): number {
    return this.#pendingSnapshot;
  }

  /** Appends wait for an answer: a probe is under way, or the window is full. */
  get isAppendPaused(): boolean {
    return this.#isAppendPaused;
  }

  /** Whether to hold back appends. In replicate and probe a heartbeat's answer ends it. */
  isPaused(): boolean {
    return this.#state === "snapshot" || this.#isAppendPaused;
  }

  /** One more append may go though no acknowledgement came: the member answered a heartbeat. */
  resumeAppend(): void {
    this.#isAppendPaused = false;
  }

  /** No append until the member answers something: after a snapshot was sent, or failed. */
  pauseAppend(): void {
    this.#isAppendPaused = true;
  }

  /** From snapshot the search goes on behind the snapshot, as far as it is known to be there. */
  becomeProbe(): void {
    const behindSnapshot = this.#pendingSnapshot + 1; // 1 outside snapshot (P4)
    this.#enter("probe");
    this.#next = Math.max(this.#match + 1, behindSnapshot);
    this.#capSentCommit();
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.#next = this.#match + 1;
    this.#capSentCommit();
  }

  /** A snapshot up to `index` leaves. > match. */
  becomeSnapshot(index: number): void {
    assert(index > this.#match, () => `snapshot ${index} for a member that has ${this.#match}`);
    this.#enter("snapshot");
    this.#pendingSnapshot = index;
    this.#next = index + 1;
    this.#sentCommit = index;
  }

  /** The snapshot did not arrive: the next attempt begins at what is known. */
  snapshotFailed(): void {
    this.#pendingSnapshot = 0;
  }

  /** An append with the `count` entries from next on left, `bytes` in all. Not in snapshot. */
  sentEntries(count: number, bytes: number): void {
    assert(this.#state !== "snapshot", "an append was sent while a snapshot is under way");
    if (this.#state === "probe") {
      if (count > 0) this.#isAppendPaused = true;
      return;
    }
    if (count > 0) {
      this.#next += count;
      this.inflights.add(this.#next - 1, bytes);
    }
    this.#isAppendPaused = this.inflights.isFull;
  }

  /** Whether telling the member of `commit` can advance its commit index. */
  canAdvanceCommit(commit: number): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.#next - 1;
  }

  /** A message with this commit index left. */
  sentCommit(commit: number): void {
    this.#sentCommit = this.#state === "probe" ? commit : Math.min(commit, this.#next - 1); // P5
  }

  /** The member acknowledged entries up to `index`. False: that was known. */
  updatedTo(index: number): boolean {
    if (index <= this.#match) return false; // P2
    this.#match = index;
    this.#next = Math.max(this.#next, index + 1); // P1
    this.#isAppendPaused = false;
    return true;
  }

  /**
   * The member refused an append behind `rejected`; `hint` is the last index where its log may
   * agree. False: an old answer, which changes nothing.
   */
  decreaseTo(rejected: number, hint: number): boolean {
    if (this.#state === "snapshot") return false; // no append is under way (P4)
    if (this.#state === "replicate") {
      if (rejected <= this.#match) return false;
      this.#next = this.#match + 1;
    } else {
      if (rejected !== this.#next - 1) return false; // only the last probe can be refused
      this.#next = Math.max(Math.min(rejected, hint + 1), this.#match + 1);
      this.#isAppendPaused = false;
    }
    this.#capSentCommit();
    return true;
  }

  #enter(state: ProgressState): void {
    this.#state = state;
    this.#isAppendPaused = false;
    this.#pendingSnapshot = 0;
    this.inflights.reset(); // P3
  }

  #capSentCommit(): void {
    this.#sentCommit = Math.min(this.#sentCommit, this.#next - 1); // P5
  }
}
