import { assert } from "../base/assert.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/ports.ts";
import type { Entry } from "../raft/types.ts";
import { formatDuration } from "./config/go-values.ts";

// AQ1  Entries are applied in order, each once, and none is left out but by a snapshot that
//      contains it.
// AQ2  Nothing is applied while a snapshot is being installed.

const applyLimits = {
  /** Entries between two looks at the clock. */
  entriesPerCheck: 8,
} as const;

export interface ApplyQueueOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Applying a few entries for longer than this is counted and logged. */
  readonly slowApplyMs: number;
  /** Applies one entry; `appliedIndex` is its index already. */
  readonly apply: (entry: Entry) => void;
}

/** Committed entries on their way to the state machine. */
export class ApplyQueue {
  readonly #options: ApplyQueueOptions;
  /** Runs of entries to apply, and how far into the first one we are. */
  readonly #runs: (readonly Entry[])[] = [];
  #at = 0;
  #index: number;
  #term: number;
  #slowRuns = 0;
  #isInstalling = false;

  constructor(options: ApplyQueueOptions, applied: { index: number; term: number }) {
    this.#options = options;
    this.#index = applied.index;
    this.#term = applied.term;
  }

  get appliedIndex(): number {
    return this.#index;
  }
  get appliedTerm(): number {
    return this.#term;
  }
  /** Runs of at most `entriesPerCheck` entries that took longer than `slowApplyMs`. */
  get slowRuns(): number {
    return this.#slowRuns;
  }
  /** There is something that {@link run} would apply. */
  get hasWork(): boolean {
    return this.#runs.length > 0 && !this.#isInstalling;
  }
  get isInstalling(): boolean {
    return this.#isInstalling;
  }

  add(entries: readonly Entry[]): void {
    this.#runs.push(entries);
  }

  /** A snapshot is on its way into the state machine: what waits is part of it (AQ2). */
  beginInstall(): void {
    this.#isInstalling = true;
    this.#runs.length = 0;
    this.#at = 0;
  }

  installed(applied: { readonly index: number; readonly term: number }): void {
    this.#isInstalling = false;
    this.#index = applied.index;
    this.#term = applied.term;
  }

  /** Applies until nothing is left (false) or the time is up (true). */
  run(deadline: number): boolean {
    if (!this.hasWork) return false;
    const { clock, slowApplyMs } = this.#options;
    let untilCheck: number = applyLimits.entriesPerCheck;
    let isLate = false;
    let from = this.#index;
    let checkedAt = clock.now();
    while (this.hasWork && !isLate) {
      const entries = this.#runs[0]!;
      this.#applyOne(entries[this.#at]!);
      this.#at++;
      if (this.#at === entries.length) {
        this.#runs.shift();
        this.#at = 0;
      }
      if (--untilCheck > 0 && this.#runs.length > 0) continue;
      untilCheck = applyLimits.entriesPerCheck;
      const now = clock.now();
      if (now - checkedAt > slowApplyMs) this.#appliedSlowly(from, now - checkedAt);
      from = this.#index;
      checkedAt = now;
      isLate = this.#runs.length > 0 && now >= deadline;
    }
    return isLate;
  }

  #applyOne(entry: Entry): void {
    assert(entry.index === this.#index + 1, () => `apply ${entry.index} after ${this.#index}`); // AQ1
    this.#index = entry.index; // before the call: what it answers may look at the index
    this.#term = entry.term;
    this.#options.apply(entry);
  }

  /** A look at the clock per entry would cost more than applying most; a few share one. */
  #appliedSlowly(after: number, tookMs: number): void {
    this.#slowRuns++;
    this.#options.log.warn("apply request took too long", {
      took: formatDuration(Math.round(tookMs * 1000) / 1000),
      "expected-duration": formatDuration(this.#options.slowApplyMs),
      "first-index": after + 1,
      "last-index": this.#index,
    });
  }
}
