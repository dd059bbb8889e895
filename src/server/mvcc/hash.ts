import { compare, utf8, emptyBytes } from "../../base/bytes.ts";
import type { EtcdError } from "../../base/etcd-errors.ts";
import { errCompacted, errFutureRev } from "../../base/etcd-errors.ts";
import { buckets } from "../backend/backend.ts";
import type { Bucket, View } from "../backend/backend.ts";
import type { KeyIndex } from "./key-index.ts";
import { KvScanner } from "./kv-bytes.ts";
import { RangeJob } from "./range.ts";
import { isTombstoneKey, revisionMain, revisionStart, revisionSub } from "./revision.ts";
import type { KvStore } from "./store.ts";

/**
 * HashKV and Hash as Go etcd computes them.
 *
 * HK1  A hash reads one view opened after a forced commit, so it sees one moment although it runs
 *      over many turns; a pin keeps the index it asks from being pruned under it.
 * HK2  Rows at or below the compact revision count only if a compaction at the hashed revision
 *      would keep them; if it would keep none at all, every row counts (etcd: an empty keep set).
 */

export interface KvHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

export type HashOutcome = KvHash | EtcdError;

const bucketName = utf8("key");
const volatileMeta = ["consistent_index", "term", "storageVersion"].map(utf8);

export class Hasher {
  readonly #store: KvStore;
  /** Of the last compactions, by rising revision. */
  #stored: KvHash[] = [];

  constructor(store: KvStore) {
    this.#store = store;
  }

  /** Hashes of past compactions, oldest first. */
  get stored(): readonly KvHash[] {
    return this.#stored;
  }

  hashKv(revision: number, done: (outcome: HashOutcome) => void): void {
    const store = this.#store;
    const { writer, turn } = store.deps;
    const known = this.#known(revision);
    if (known !== null) {
      turn.next(() => {
        done(known);
      });
      return;
    }
    const compactRevision = store.compactRevision;
    const hashRevision = revision === 0 ? store.currentRevision : revision;
    const { index } = store;
    const again = (): void => {
      this.hashKv(revision, done);
    };
    store.pin(compactRevision); // HK1
    writer.commit(() => {
      if (store.index !== index) {
        again();
        return;
      }
      const keptRecord = (keyId: number): number => store.index.liveAt(keyId, hashRevision);
      const view = writer.openView();
      const options = { compactRevision, hashRevision, keptRecord, replaced: again };
      new RowHash(store, view, options).run((rows) => {
        view.close();
        const chosen = (hash: number): void => {
          store.unpin(compactRevision);
          done({ hash, compactRevision, hashRevision });
        };
        this.#choose(rows, hashRevision, chosen, again);
      });
    });
  }

  #known(revision: number): HashOutcome | null {
    const store = this.#store;
    for (const stored of this.#stored) if (stored.hashRevision === revision) return stored;
    if (revision > 0 && revision < store.compactRevision) return errCompacted;
    return revision > store.currentRevision ? errFutureRev : null;
  }

  /** HK2: whether a compaction at the revision would keep any row decides between two sums. */
  #choose(
    rows: RowHash,
    revision: number,
    done: (hash: number) => void,
    replaced: () => void,
  ): void {
    const { index } = this.#store;
    if (rows.kept === rows.all) {
      done(rows.all);
      return;
    }
    const job = new RangeJob(this.#store, { ...everyKey }, revision);
    const step = (): void => {
      if (this.#store.index !== index) {
        replaced(); // S5
        return;
      }
      const isLast = job.step(this.#store.limits.rangeKeysPerTurn, 1);
      if (job.take().kvCount > 0) done(rows.kept);
      else if (isLast) done(rows.all);
      else this.#store.deps.turn.next(step);
    };
    step();
  }

  /**
   * The hash a compaction leaves behind: rows up to `revision` of the view from before it. Closes
   * the view.
   */
  hashCompaction(
    view: View,
    previous: number,
    revision: number,
    keepsAny: boolean,
    done: () => void,
  ): void {
    const store = this.#store;
    const { hashRowsPerTurn, compactionBatchLimit, compactionSleepMs } = store.limits;
    const pauseMs = (compactionSleepMs * hashRowsPerTurn) / compactionBatchLimit;
    // The index is pruned already: what is still in it is what was kept.
    const keptRecord = (keyId: number): number => store.index.recordAt(keyId, revision);
    // The compactor has forgotten the job when the content is replaced.
    const replaced = (): void => {};
    const options = { compactRevision: previous, hashRevision: revision, keptRecord, replaced };
    new RowHash(store, view, options, pauseMs).run((rows) => {
      view.close();
      const hash = keepsAny ? rows.kept : rows.all;
      this.#stored.push({ hash, compactRevision: previous, hashRevision: revision });
      this.#stored.sort((a, b) => a.hashRevision - b.hashRevision);
      this.#stored = this.#stored.slice(-store.limits.compactionHashesMax);
      done();
    });
  }

  hashAll(done: (hash: number) => void): void {
    const { writer } = this.#store.deps;
    writer.commit(() => {
      new BackendHash(this.#store, writer.openView()).run(done);
    });
  }
}

const everyKey = {
  key: new Uint8Array(1),
  rangeEnd: new Uint8Array(1),
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: true,
  keysOnly: true,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  canonical: true,
} as const;

interface RowHashOptions {
  readonly compactRevision: number;
  readonly hashRevision: number;
  /** The key's one record at or below the compact revision that is kept; 0 for none. */
  readonly keptRecord: (keyId: number) => number;
  /** Called instead of the result when the store's content was replaced meanwhile (S5). */
  readonly replaced: () => void;
}

/** CRC-32C over the rows of the key bucket, sliced over turns. */
class RowHash {
  readonly #store: KvStore;
  readonly #index: KeyIndex;
  readonly #view: View;
  readonly #options: RowHashOptions;
  readonly #pauseMs: number;
  readonly #scanner = new KvScanner();
  #next: Uint8Array;
  /** Over the rows that are kept, and over all of them. */
  kept: number;
  all: number;

  constructor(store: KvStore, view: View, options: RowHashOptions, pauseMs = 0) {
    this.#store = store;
    this.#index = store.index;
    this.#view = view;
    this.#options = options;
    this.#pauseMs = pauseMs;
    this.#next = revisionStart(0);
    this.kept = this.all = store.deps.checksum.crc32c(bucketName, 0);
  }

  run(done: (rows: this) => void): void {
    const { limits, deps, isClosed } = this.#store;
    if (isClosed || this.#store.index !== this.#index) {
      this.#view.close();
      if (!isClosed) this.#options.replaced();
      return;
    }
    let left = limits.hashRowsPerTurn;
    let isMore = false;
    const end = revisionStart(Math.max(0, this.#options.hashRevision + 1));
    this.#view.range("key", this.#next, end, (key, value) => {
      if (left-- === 0) {
        this.#next = key.slice();
        isMore = true;
        return false;
      }
      this.#add(key, value);
      return true;
    });
    const again = (): void => {
      this.run(done);
    };
    if (!isMore) done(this);
    else if (this.#pauseMs > 0) deps.clock.after(this.#pauseMs, again);
    else deps.turn.next(again);
  }

  #add(key: Uint8Array, value: Uint8Array): void {
    const { compactRevision } = this.#options;
    const main = revisionMain(key);
    const isTombstone = isTombstoneKey(key);
    const isSkipped = main <= compactRevision && !this.#keeps(main, revisionSub(key), value);
    // Older servers removed the tombstone of the compact revision itself: never counted.
    if (main === compactRevision && isTombstone) return;
    const { checksum } = this.#store.deps;
    const isSame = this.kept === this.all;
    const all = checksum.crc32c(value, checksum.crc32c(key, this.all));
    if (isSkipped) {
      this.all = all;
      return;
    }
    this.kept = isSame ? all : checksum.crc32c(value, checksum.crc32c(key, this.kept));
    this.all = all;
  }

  #keeps(main: number, sub: number, value: Uint8Array): boolean {
    const { index } = this.#store;
    this.#scanner.scan(value, 0, value.length);
    const { keyStart, keyEnd } = this.#scanner;
    const keyId = index.keys.find(value.subarray(keyStart, keyEnd));
    const record = keyId < 0 ? 0 : this.#options.keptRecord(keyId);
    return record !== 0 && index.records.main(record) === main && index.records.sub(record) === sub;
  }
}

/** CRC-32C over every bucket's name and rows, sliced over turns. */
class BackendHash {
  readonly #store: KvStore;
  readonly #view: View;
  readonly #buckets: Bucket[] = [...buckets].sort((a, b) => compare(utf8(a), utf8(b)));
  #at = 0;
  #next: Uint8Array | null = null;
  #sum = 0;

  constructor(store: KvStore, view: View) {
    this.#store = store;
    this.#view = view;
  }

  run(done: (hash: number) => void): void {
    if (this.#store.isClosed) {
      this.#view.close();
      return;
    }
    let left = this.#store.limits.hashRowsPerTurn;
    while (this.#at < this.#buckets.length && left > 0) left = this.#bucket(left);
    if (this.#at === this.#buckets.length) {
      this.#view.close();
      done(this.#sum);
    } else {
      this.#store.deps.turn.next(() => {
        this.run(done);
      });
    }
  }

  /** Goes on in the bucket at hand; returns what is left of the slice, 0 to go on next turn. */
  #bucket(left: number): number {
    const bucket = this.#buckets[this.#at]!;
    const { checksum } = this.#store.deps;
    if (this.#next === null) this.#sum = checksum.crc32c(utf8(bucket), this.#sum);
    const from = this.#next ?? emptyBytes;
    this.#next = null;
    this.#view.range(bucket, from, null, (key, value) => {
      if (left-- === 0) {
        this.#next = key.slice();
        return false;
      }
      const isVolatile = bucket === "meta" && volatileMeta.some((name) => compare(name, key) === 0);
      if (!isVolatile) this.#sum = checksum.crc32c(value, checksum.crc32c(key, this.#sum));
      return true;
    });
    if (this.#next !== null) return 0;
    this.#at++;
    return Math.max(0, left);
  }
}
