import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import type { EtcdError } from "../../base/etcd-errors.ts";
import { errCompacted, errFutureRev } from "../../base/etcd-errors.ts";
import type { Hasher } from "./hash.ts";
import type { View } from "../backend/backend.ts";
import type { KeyIndex } from "./key-index.ts";
import { flagTombstone } from "./records.ts";
import { encodeRevision } from "./revision.ts";
import type { KvStore } from "./store.ts";

/**
 * Removal of superseded revisions, in slices over turns.
 *
 * C1  `scheduledCompactRev` is durable no later than the first removed row, and
 *     `finishedCompactRev` only with or after the last: a crash in between resumes at start.
 * C2  A key's rows go oldest first, so what a crash leaves is always a valid chain whose newest
 *     revision is right.
 * C3  One compaction runs at a time, in order of request.
 */

export const keyScheduledCompact = utf8("scheduledCompactRev");
export const keyFinishedCompact = utf8("finishedCompactRev");

/** Looking at this many keys costs about as much as removing one row. */
const keysPerRemoval = 4;

interface Job {
  readonly revision: number;
  readonly previous: number;
  /** The compaction before was complete, so this one's hash covers all since (etcd 15919). */
  readonly isHashed: boolean;
  readonly physical: (() => void) | null;
}

export class Compactor {
  readonly #store: KvStore;
  readonly #hasher: Hasher;
  #jobs: Job[] = [];
  /** Of the running job: what its hash is taken from. */
  #view: View | null = null;
  #isRunning = false;
  #scheduled: number | null = null;
  #finished: number | null = null;

  constructor(store: KvStore, hasher: Hasher) {
    this.#store = store;
    this.#hasher = hasher;
  }

  /**
   * The store's content was replaced: what was under way is void (S5), and those who wait for it
   * are told, as the new content has it or resumes it.
   */
  reset(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#isRunning = false;
    this.#view?.close();
    this.#view = null;
    for (const { physical } of jobs) if (physical !== null) this.#store.deps.turn.next(physical);
  }

  /** Takes over what restore found and resumes an interrupted compaction. */
  restored(scheduled: number | null, finished: number | null): void {
    this.#scheduled = scheduled;
    this.#finished = finished;
    if (scheduled !== null && scheduled > this.#store.compactRevision) {
      const error = this.compact(scheduled, null);
      assert(error === null, "scheduled compaction cannot be resumed");
      this.#store.deps.log.info("resume scheduled compaction", {
        "scheduled-compact-revision": scheduled,
      });
    }
  }

  compact(revision: number, physical: (() => void) | null): EtcdError | null {
    const store = this.#store;
    if (revision <= store.compactRevision) return errCompacted;
    if (revision > store.currentRevision) return errFutureRev;
    const isHashed = this.#scheduled === this.#finished;
    const previous = store.compactRevision;
    store.compactRevision = revision;
    this.#scheduled = revision;
    store.deps.writer.put("meta", keyScheduledCompact, encodeRevision(revision, 0, false)); // C1
    this.#jobs.push({ revision, previous, isHashed, physical });
    this.#startNext();
    return null;
  }

  /** C3. The commit waits for a turn of its own: this one is still inside an entry. */
  #startNext(): void {
    const job = this.#jobs[0];
    if (this.#isRunning || job === undefined) return;
    this.#isRunning = true;
    const { turn, writer } = this.#store.deps;
    turn.next(() => {
      if (this.#store.isClosed || this.#jobs[0] !== job) return;
      writer.commit(() => {
        if (this.#jobs[0] !== job) return;
        this.#view = job.isHashed ? writer.openView() : null;
        this.#store.whenUnpinned(job.revision, () => {
          new Prune(this.#store, job.revision, (keepsAny, removed) => {
            this.#hash(job, keepsAny, removed);
          }).run();
        });
      });
    });
  }

  #hash(job: Job, keepsAny: boolean, removed: number): void {
    const view = this.#view;
    this.#view = null;
    if (view === null) this.#finish(job, removed);
    else {
      this.#hasher.hashCompaction(view, job.previous, job.revision, keepsAny, () => {
        this.#finish(job, removed);
      });
    }
  }

  #finish(job: Job, removed: number): void {
    const { writer, log } = this.#store.deps;
    writer.put("meta", keyFinishedCompact, encodeRevision(job.revision, 0, false));
    this.#finished = job.revision;
    log.info("finished scheduled compaction", {
      "compact-revision": job.revision,
      "number-of-keys-compacted": removed,
    });
    if (job.physical !== null) writer.commit(job.physical);
    this.#jobs.shift();
    this.#isRunning = false;
    this.#startNext();
  }
}

/** One pass over all keys that cuts their chains and deletes the rows. */
class Prune {
  readonly #store: KvStore;
  readonly #index: KeyIndex;
  readonly #revision: number;
  readonly #done: (keepsAny: boolean, removed: number) => void;
  /** Where the next slice starts; every key is at or after the empty one. */
  #next: Uint8Array = new Uint8Array(0);
  #keepsAny = false;
  #removed = 0;
  /** Left in this slice: rows to remove, and keys to look at. */
  #rows = 0;
  #keys = 0;
  readonly #chain: number[] = [];
  readonly #emptied: number[] = [];

  constructor(
    store: KvStore,
    revision: number,
    done: (keepsAny: boolean, removed: number) => void,
  ) {
    this.#store = store;
    this.#index = store.index;
    this.#revision = revision;
    this.#done = done;
  }

  run(): void {
    if (this.#store.isClosed || this.#store.index !== this.#index) return; // S5
    const { limits, deps } = this.#store;
    this.#rows = limits.compactionBatchLimit;
    this.#keys = limits.compactionBatchLimit * keysPerRemoval;
    const isLast = this.#slice();
    for (const id of this.#emptied) this.#store.index.removeKey(id);
    this.#emptied.length = 0;
    if (isLast) this.#done(this.#keepsAny, this.#removed);
    else if (this.#rows > 0) {
      deps.turn.next(() => {
        this.run();
      });
    } else {
      deps.clock.after(limits.compactionSleepMs, () => {
        this.run();
      });
    }
  }

  /** True at the end of the tree. */
  #slice(): boolean {
    const { tree, keys } = this.#store.index;
    tree.seek(this.#next);
    let { leaf, index } = tree;
    for (; leaf < tree.leaves.length; leaf++, index = 0) {
      const { ids, count } = tree.leaves[leaf]!;
      for (; index < count; index++) {
        const id = ids[index]!;
        if (this.#rows <= 0 || this.#keys-- <= 0 || !this.#pruneKey(id)) {
          this.#next = keys.copy(id);
          return false;
        }
      }
    }
    return true;
  }

  /** False if rows of the key are left for the next slice. */
  #pruneKey(id: number): boolean {
    const { index } = this.#store;
    const { records, keys } = index;
    const newest = index.recordAt(id, this.#revision);
    if (newest === 0) return true;
    const isKept =
      (records.flags(newest) & flagTombstone) === 0 || records.main(newest) === this.#revision;
    if (isKept) this.#keepsAny = true;
    const first = index.firstRemovable(id, this.#revision);
    if (first === 0) return true;
    const chain = this.#chain;
    chain.length = 0;
    for (let record = first; record !== 0; record = records.previous(record)) chain.push(record);
    const stop = Math.max(0, chain.length - this.#rows);
    for (let i = chain.length - 1; i >= stop; i--) this.#deleteRow(chain[i]!); // C2
    index.cut(id, chain[stop]!);
    if (keys.head(id) === 0) this.#emptied.push(id);
    return stop === 0;
  }

  #deleteRow(record: number): void {
    const { records } = this.#store.index;
    const key = encodeRevision(
      records.main(record),
      records.sub(record),
      records.isTombstone(record),
    );
    this.#store.deps.writer.delete("key", key);
    this.#rows--;
    this.#removed++;
  }
}
