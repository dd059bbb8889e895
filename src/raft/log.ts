import { assert } from "../base/assert.ts";
import { UnstableLog } from "./log-unstable.ts";
import type { Storage } from "./storage.ts";
import type { Entry } from "./types.ts";

// LG1  applied <= handed out to apply <= min(commit, synced) ; commit <= lastIndex.
// LG2  commit, applied and handed out never go back.

/** The whole log: stable entries in storage, then those not yet synced. */
export class RaftLog {
  readonly #storage: Storage;
  readonly #unstable: UnstableLog;
  #commit: number;
  #applied: number;
  #handedOut: number;

  constructor(storage: Storage, commit: number, applied: number) {
    assert(commit <= storage.lastIndex(), () => `commit ${commit} of ${storage.lastIndex()}`);
    assert(applied <= commit, () => `applied ${applied} above commit ${commit}`);
    this.#storage = storage;
    this.#unstable = new UnstableLog(storage.lastIndex());
    this.#commit = commit;
    this.#applied = applied;
    this.#handedOut = applied;
  }

  get commit(): number {
    return this.#commit;
  }

  get applied(): number {
    return this.#applied;
  }

  get lastIndex(): number {
    return this.#unstable.lastIndex;
  }

  get syncedIndex(): number {
    return this.#unstable.syncedIndex;
  }

  get hasUnsynced(): boolean {
    return this.#unstable.hasNext;
  }

  get lastTerm(): number {
    return this.term(this.lastIndex) ?? 0;
  }

  /** The entry's term; null if it is not in memory or not in the log. */
  term(index: number): number | null {
    if (index >= this.#unstable.offset) return this.#unstable.at(index)?.term ?? null;
    return this.#storage.term(index);
  }

  push(entry: Entry): void {
    this.#unstable.push(entry);
  }

  commitTo(index: number): void {
    assert(index <= this.lastIndex, () => `commit ${index} beyond the log ${this.lastIndex}`);
    if (index > this.#commit) this.#commit = index;
  }

  /** The entries to sync next, as sync `number`. */
  handOutUnsynced(number: number): readonly Entry[] {
    return this.#unstable.handOut(number);
  }

  syncedTo(number: number): void {
    this.#unstable.syncedTo(number);
  }

  get hasNextCommitted(): boolean {
    return Math.min(this.#commit, this.syncedIndex) > this.#handedOut;
  }

  /**
   * The next committed and synced entries, at least one if there is any; they count as handed out.
   */
  handOutCommitted(bytesMax: number): readonly Entry[] {
    const high = Math.min(this.#commit, this.syncedIndex) + 1;
    const low = this.#handedOut + 1;
    if (low >= high) return none;
    const entries = this.#storage.entries(low, high, bytesMax);
    assert(entries !== null, () => `entry ${low} was dropped before it was applied`);
    this.#handedOut += entries.length;
    return entries;
  }

  appliedTo(index: number): void {
    assert(index <= this.#handedOut, () => `applied ${index} before it was handed out`);
    if (index > this.#applied) this.#applied = index;
  }
}

const none: readonly Entry[] = [];
