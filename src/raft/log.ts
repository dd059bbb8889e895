import { assert } from "../base/assert.ts";
import { UnstableLog } from "./log-unstable.ts";
import type { Storage } from "./storage.ts";
import type { Entry, SnapshotMetadata } from "./types.ts";

// LG1  applied <= handed out to apply <= min(commit, synced) ; commit <= lastIndex.
// LG2  commit, applied and handed out never go back.
// LG3  Committed entries are never replaced.
// LG4  While a snapshot is not installed nothing is handed out to apply: it goes first.

/** The whole log: stable entries in storage, then those not yet synced. */
export class RaftLog {
  readonly #storage: Storage;
  readonly #unstable: UnstableLog;
  #commit: number;
  #applied: number;
  #handedOut: number;
  /** The newest snapshot that is not installed; it is the beginning of the log. */
  #snapshot: SnapshotMetadata | null = null;
  #hasSnapshotToHandOut = false;
  /** Snapshots handed out and not installed, oldest first. */
  readonly #installs: { readonly number: number; readonly index: number }[] = [];

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

  get firstIndex(): number {
    const snapshot = this.#snapshot;
    return snapshot === null ? this.#storage.firstIndex() : snapshot.index + 1;
  }

  get lastIndex(): number {
    return this.#unstable.lastIndex;
  }

  get syncedIndex(): number {
    return this.#unstable.syncedIndex;
  }

  get hasUnsynced(): boolean {
    return this.#unstable.hasNext || this.#hasSnapshotToHandOut;
  }

  /** A snapshot was received and is not installed. */
  get hasPendingSnapshot(): boolean {
    return this.#snapshot !== null;
  }

  get lastTerm(): number {
    return this.term(this.lastIndex) ?? 0;
  }

  /** The entry's term; null if it is not in memory or not in the log. */
  term(index: number): number | null {
    if (index >= this.#unstable.offset) return this.#unstable.at(index)?.term ?? null;
    const snapshot = this.#snapshot;
    if (snapshot === null) return this.#storage.term(index);
    return index === snapshot.index ? snapshot.term : null;
  }

  /**
   * Entries from `low` on, cut after `bytesMax` bytes of data but never to none; null when they are
   * no longer in memory.
   */
  entriesFrom(low: number, bytesMax: number): readonly Entry[] | null {
    const { offset, lastIndex } = this.#unstable;
    if (low >= offset) return cut(this.#unstable.slice(low, lastIndex + 1), 0, bytesMax);
    if (this.hasPendingSnapshot) return null;
    const stable = this.#storage.entries(low, offset, bytesMax);
    if (stable === null || low + stable.length < offset || lastIndex < offset) return stable;
    const bytes = stable.reduce((sum, entry) => sum + entry.data.length, 0);
    if (bytes >= bytesMax) return stable;
    return [...stable, ...cut(this.#unstable.slice(offset, lastIndex + 1), bytes, bytesMax)];
  }

  /** What a follower can be sent in place of entries that are gone. */
  snapshot(): SnapshotMetadata | null {
    return this.#storage.snapshot();
  }

  push(entry: Entry): void {
    this.#unstable.push(entry);
  }

  /**
   * Takes entries that follow (`index`, `logTerm`) into the log, replacing what contradicts them.
   * False: the log has no such entry.
   */
  append(index: number, logTerm: number, entries: readonly Entry[]): boolean {
    if (this.term(index) !== logTerm) return false;
    const isNew = (entry: Entry): boolean => this.term(entry.index) !== entry.term;
    const from = entries.findIndex(isNew);
    if (from < 0) return true;
    const first = entries[from]!.index;
    assert(first > this.#commit, () => `entry ${first} is committed (${this.#commit}) (LG3)`);
    if (first <= this.lastIndex) this.#unstable.truncateFrom(first);
    for (let at = from; at < entries.length; at++) this.#unstable.push(entries[at]!);
    return true;
  }

  /**
   * The last index up to `index` whose term is at most `term`, with its term: a log that has `term`
   * as its newest term can agree at no later one. Term 0 where the log in memory ends.
   */
  lastIndexWithin(index: number, term: number): { index: number; term: number } {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (own === null) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    assert(index <= this.lastIndex, () => `commit ${index} beyond the log ${this.lastIndex}`);
    if (index > this.#commit) this.#commit = index;
  }

  /** A snapshot beyond the commit index takes the place of the whole log. */
  restore(metadata: SnapshotMetadata): void {
    assert(metadata.index > this.#commit, () => `snapshot ${metadata.index} is old`);
    this.#unstable.restore(metadata.index);
    this.#snapshot = metadata;
    this.#hasSnapshotToHandOut = true;
    this.#commit = metadata.index;
  }

  /** The entries to sync next, as sync `number`. */
  handOutUnsynced(number: number): readonly Entry[] {
    return this.#unstable.handOut(number);
  }

  /** The snapshot to install as part of sync `number`; the newest if there were several. */
  handOutSnapshot(number: number): SnapshotMetadata | null {
    if (this.#snapshot === null || !this.#hasSnapshotToHandOut) return null;
    this.#hasSnapshotToHandOut = false;
    this.#installs.push({ number, index: this.#snapshot.index });
    return this.#snapshot;
  }

  syncedTo(number: number): void {
    this.#unstable.syncedTo(number);
    if (this.#snapshot === null) return;
    while (this.#installs.length > 0 && this.#installs[0]!.number <= number) {
      this.#installed(this.#installs.shift()!.index);
    }
  }

  get hasNextCommitted(): boolean {
    if (this.#snapshot !== null) return false; // LG4
    return Math.min(this.#commit, this.syncedIndex) > this.#handedOut;
  }

  /**
   * The next committed and synced entries, at least one if there is any; they count as handed out.
   */
  handOutCommitted(bytesMax: number): readonly Entry[] {
    if (!this.hasNextCommitted) return none;
    const high = Math.min(this.#commit, this.syncedIndex) + 1;
    const low = this.#handedOut + 1;
    const entries = this.#storage.entries(low, high, bytesMax);
    assert(entries !== null, () => `entry ${low} was dropped before it was applied`);
    this.#handedOut += entries.length;
    return entries;
  }

  appliedTo(index: number): void {
    assert(index <= this.#handedOut, () => `applied ${index} before it was handed out`);
    if (index > this.#applied) this.#applied = index;
  }

  #installed(index: number): void {
    this.#handedOut = Math.max(this.#handedOut, index);
    this.#applied = Math.max(this.#applied, index);
    if (index === this.#snapshot?.index) this.#snapshot = null;
  }
}

/** The first entries, as many as fit when `bytes` are used already, but never none of all. */
function cut(entries: readonly Entry[], bytes: number, bytesMax: number): readonly Entry[] {
  let sum = bytes;
  for (let count = 0; count < entries.length; count++) {
    sum += entries[count]!.data.length;
    if (sum > bytesMax && (count > 0 || bytes > 0)) return entries.slice(0, count);
  }
  return entries;
}

const none: readonly Entry[] = [];
