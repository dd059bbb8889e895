import { assert } from "../base/assert.ts";
import type { Entry } from "./types.ts";

// U1  Entries are consecutive from `offset` on.
// U2  Entries below `handedOut` were given to the caller to be synced; the rest not yet.
// U3  Syncs complete in the order given. A truncation lowers what earlier syncs prove, so an index
//     counts as synced only if the entry now in the log is the one that was synced.
// U4  A snapshot takes the place of all entries; the sync it was handed out with proves its index.

/** Entries that are not yet on stable storage. */
export class UnstableLog {
  #entries: Entry[] = [];
  #offset: number;
  #handedOut: number;
  /** Per outstanding sync: its number and the last index it proves (U3). */
  readonly #syncs: { number: number; last: number }[] = [];
  #synced: number;

  constructor(lastStable: number) {
    this.#offset = lastStable + 1;
    this.#handedOut = lastStable + 1;
    this.#synced = lastStable;
  }

  get offset(): number {
    return this.#offset;
  }

  get lastIndex(): number {
    return this.#offset + this.#entries.length - 1;
  }

  /** The last index whose entry is on stable storage. */
  get syncedIndex(): number {
    return this.#synced;
  }

  get hasNext(): boolean {
    return this.lastIndex >= this.#handedOut;
  }

  at(index: number): Entry | undefined {
    return this.#entries[index - this.#offset];
  }

  /** Entries with low <= index < high, which must be held. */
  slice(low: number, high: number): readonly Entry[] {
    return this.#entries.slice(low - this.#offset, high - this.#offset);
  }

  push(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, () => `log gap at ${entry.index}`);
    this.#entries.push(entry);
  }

  /** Forgets entries from `index` on, because others take their place. */
  truncateFrom(index: number): void {
    this.#entries.length = Math.max(0, index - this.#offset);
    this.#offset = Math.min(this.#offset, index);
    this.#handedOut = Math.min(this.#handedOut, index);
    this.#synced = Math.min(this.#synced, index - 1);
    for (const sync of this.#syncs) sync.last = Math.min(sync.last, index - 1);
  }

  /** A snapshot up to `index` is the whole log now (U4). */
  restore(index: number): void {
    this.#entries = [];
    this.#offset = index + 1;
    this.#handedOut = index + 1;
    this.#synced = Math.min(this.#synced, index);
    for (const sync of this.#syncs) sync.last = Math.min(sync.last, index);
  }

  /** The entries to sync next, as sync `number`. */
  handOut(number: number): readonly Entry[] {
    const entries = this.#entries.slice(this.#handedOut - this.#offset);
    this.#handedOut = this.lastIndex + 1;
    this.#syncs.push({ number, last: this.lastIndex });
    return entries;
  }

  /** Sync `number` and all before it are complete. */
  syncedTo(number: number): void {
    let done = 0;
    let last = this.#synced;
    while (done < this.#syncs.length && this.#syncs[done]!.number <= number) {
      last = Math.max(last, this.#syncs[done]!.last);
      done++;
    }
    this.#syncs.splice(0, done);
    this.#synced = last;
    if (last < this.#offset) return;
    this.#entries = this.#entries.slice(last + 1 - this.#offset);
    this.#offset = last + 1;
  }
}
