import { assert } from "../base/assert.ts";
import type { Entry, SnapshotMetadata } from "./types.ts";

// ST1  Entries are consecutive: base + 1, base + 2, … ; `base` itself is known by its term only.
// ST2  Entries above the applied index are never dropped, except for a snapshot that holds them.

/** Where raft reads entries that are on stable storage. */
export interface Storage {
  /** The first index whose entry can be read. */
  firstIndex(): number;
  /** The last index; firstIndex() - 1 when there is no entry. */
  lastIndex(): number;
  /** The term of an entry, also of firstIndex() - 1; null outside of that. */
  term(index: number): number | null;
  /**
   * Entries with low <= index < high, cut after `bytesMax` bytes of data but never to none; null
   * when `low` is no longer in memory.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[] | null;
  /** What a follower would be sent in place of entries that are gone; null: nothing just now. */
  snapshot(): SnapshotMetadata | null;
}

/** What the in-memory log keeps behind the applied index for followers that lag. */
export interface MemoryStorageLimits {
  /** Most bytes of data kept; more only while entries wait to be applied. */
  readonly bytesMax: number;
  /** Most entries kept behind the applied index. */
  readonly catchUpEntries: number;
}

/** Bytes of data up to which entries stay that a member wants behind its snapshot. */
const wantedBytesMax = 256 * 1024 * 1024;

export const memoryStorageDefaults: MemoryStorageLimits = {
  bytesMax: 64 * 1024 * 1024,
  catchUpEntries: 5000,
};

/** The newest part of the log in memory; who needs older entries gets a snapshot. */
export class MemoryStorage implements Storage {
  readonly #limits: MemoryStorageLimits;
  #base: number;
  #baseTerm: number;
  #entries: Entry[] = [];
  /** Entries before this position were dropped; the array is cut now and then, not each time. */
  #head = 0;
  #bytes = 0;
  #snapshotSource: () => SnapshotMetadata | null = () => null;

  /** `base` is the index before the first entry to come, with its term (0, 0 for an empty log). */
  constructor(base: number, baseTerm: number, limits: MemoryStorageLimits = memoryStorageDefaults) {
    this.#base = base;
    this.#baseTerm = baseTerm;
    this.#limits = limits;
  }

  firstIndex(): number {
    return this.#base + 1;
  }

  lastIndex(): number {
    return this.#base + this.#entries.length - this.#head;
  }

  /** Bytes of entry data in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  term(index: number): number | null {
    if (index === this.#base) return this.#baseTerm;
    if (index < this.#base || index > this.lastIndex()) return null;
    return this.#at(index).term;
  }

  entries(low: number, high: number, bytesMax: number): readonly Entry[] | null {
    if (low <= this.#base) return null;
    assert(high <= this.lastIndex() + 1, () => `entries up to ${high} of ${this.lastIndex()}`);
    let bytes = 0;
    let end = low;
    while (end < high) {
      bytes += this.#at(end).data.length;
      if (bytes > bytesMax && end > low) break;
      end++;
    }
    const from = this.#head + low - this.#base - 1;
    return this.#entries.slice(from, from + end - low);
  }

  /** Adds entries that were synced, replacing those from the first one's index on. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const first = entries[0]!.index;
    assert(first > this.#base, () => `append at ${first} rewrites dropped entries`);
    assert(first <= this.lastIndex() + 1, () => `log gap: ${this.lastIndex()} then ${first}`);
    for (let index = first; index <= this.lastIndex(); index++) {
      this.#bytes -= this.#at(index).data.length;
    }
    this.#entries.length = this.#head + first - this.#base - 1;
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.data.length;
    }
  }

  /** Where {@link snapshot} finds what the owner could send; nothing before this is called. */
  provideSnapshots(source: () => SnapshotMetadata | null): void {
    this.#snapshotSource = source;
  }

  snapshot(): SnapshotMetadata | null {
    return this.#snapshotSource();
  }

  /** A snapshot was installed: it takes the place of the whole log, which goes on behind it. */
  applySnapshot(metadata: SnapshotMetadata): void {
    this.#base = metadata.index;
    this.#baseTerm = metadata.term;
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /**
   * Drops what the limits no longer allow, up to `applied` (ST2). Entries above `wantedFrom` stay
   * nevertheless, up to a bound of their own.
   */
  trim(applied: number, wantedFrom = Infinity): void {
    let index = this.#base;
    const keepFrom = applied - this.#limits.catchUpEntries;
    const end = this.#bytes > wantedBytesMax ? applied : Math.min(applied, wantedFrom);
    while (index < end && (index < keepFrom || this.#bytes > this.#limits.bytesMax)) {
      index++;
      this.#bytes -= this.#at(index).data.length;
    }
    if (index === this.#base) return;
    this.#baseTerm = this.#at(index).term;
    this.#head += index - this.#base;
    this.#base = index;
    // Cutting costs as much as what remains, so it waits until at least as much was dropped.
    if (this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  #at(index: number): Entry {
    return this.#entries[this.#head + index - this.#base - 1]!;
  }
}
