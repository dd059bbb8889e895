import { assert } from "../../base/assert.ts";
import type { Logger } from "../../base/log.ts";
import type { Checksum, Clock, Turn } from "../../base/ports.ts";
import type { BackendWriter } from "../backend/batcher.ts";
import type { View } from "../backend/backend.ts";
import { Compactor } from "./compaction.ts";
import { Hasher } from "./hash.ts";
import type { HashOutcome, KvHash } from "./hash.ts";
import { History } from "./history.ts";
import type { IndexImage } from "./index-image.ts";
import { KeyIndex } from "./key-index.ts";
import { frameSize, KvScanner } from "./kv-bytes.ts";
import type { StoreLimits } from "./limits.ts";
import { storeLimits } from "./limits.ts";
import { RangeCursor } from "./range-cursor.ts";
import { RangeRunner } from "./range-runner.ts";
import { rangeNow } from "./range.ts";
import { segmentMask } from "./records.ts";
import { adopt, ContentReader, restore } from "./restore.ts";
import type { RestoredCompaction } from "./restore.ts";
import { encodeRevision } from "./revision.ts";
import { Txn } from "./store-txn.ts";
import type {
  EventListener,
  HistoryLimits,
  HistoryOutcome,
  KeyMeta,
  LeaseAttachments,
  MvccEvent,
  RangeOutcome,
  RangeRequest,
  RangeResult,
  WriteTxn,
} from "./types.ts";
import { errCompacted, errFutureRev } from "../../base/etcd-errors.ts";
import type { EtcdError } from "../../base/etcd-errors.ts";
import { type Slab, ValueSlabs } from "./value-slabs.ts";

/**
 * The multi-version key-value store: an index in memory over rows in the backend.
 *
 * S1  `currentRevision` is that of the last finished transaction; it never falls.
 * S2  A record's value is in a slab, or in the read view, or both: a row leaves its slab only when
 *     the view has it (VS2).
 * S3  Reads below `compactRevision` are refused; those running when it rose hold a pin, and records
 *     are pruned only when no pin below it is left.
 * S4  One transaction is open at a time, within one event-loop turn.
 * S5  When the content is replaced, work spread over turns starts again on the new content at its
 *      revision, or ends: nothing mixes records of two contents.
 */

export interface StoreDeps {
  readonly writer: BackendWriter;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly checksum: Checksum;
  readonly leases: LeaseAttachments;
  readonly log: Logger;
  /** Keeps clients from choosing colliding keys; any number. */
  readonly hashSeed: number;
  readonly limits?: StoreLimits;
}

export class KvStore {
  readonly deps: StoreDeps;
  readonly limits: StoreLimits;
  /** Another object after {@link reload}: work over several turns compares it (S5). */
  index: KeyIndex;
  slabs: ValueSlabs;
  /** Of the last finished transaction; 1 on an empty store. */
  currentRevision = 1;
  /** Reads below it are refused; -1 when never compacted. */
  compactRevision = -1;
  isClosed = false;
  /** Since the start, for metrics. */
  readonly counts = { ranges: 0, puts: 0, deletes: 0, txns: 0 };
  #listener: EventListener | null = null;
  readonly #txn: Txn;
  readonly #history: History;
  readonly #runner: RangeRunner;
  readonly #compactor: Compactor;
  readonly #hasher: Hasher;
  readonly #scanner = new KvScanner();
  /** Revisions that running reads hold (S3), with how many hold each. */
  readonly #pins = new Map<number, number>();
  #unpinned: (() => void)[] = [];

  constructor(deps: StoreDeps) {
    this.deps = deps;
    this.limits = deps.limits ?? storeLimits;
    this.index = new KeyIndex(deps.hashSeed);
    this.slabs = new ValueSlabs(this.limits);
    this.#history = new History(this);
    this.#txn = new Txn(this);
    this.#runner = new RangeRunner(this);
    this.#hasher = new Hasher(this);
    this.#compactor = new Compactor(this, this.#hasher);
    deps.writer.addListener({
      durable: (batch) => {
        this.slabs.durableBatch = batch;
        this.slabs.trim();
        this.#history.durable(batch);
      },
    });
  }

  setListener(listener: EventListener): void {
    this.#listener = listener;
  }

  /** Rebuilds the index from the writer's view or its image; once, before anything else. */
  restore(image: IndexImage | null = null): void {
    this.#restored(restore(this, image));
  }

  /**
   * Reads the content of `view`, which is to replace this one's, over several turns; then `done`
   * gets it for {@link reload}. Ends without it once `isWanted` returns false.
   */
  readContent(view: View, isWanted: () => boolean, done: (content: ContentReader) => void): void {
    const { deps, limits } = this;
    const content = new ContentReader(view, deps.hashSeed);
    const step = (): void => {
      if (!isWanted()) return;
      if (content.step(limits.reloadRowsPerTurn)) done(content);
      else deps.turn.next(step);
    };
    step();
  }

  /**
   * The writer's view shows other rows (a snapshot was installed), which `content` was read from.
   * The revision does not fall (S1). To be called in the turn the view changed.
   */
  reload(content: ContentReader): void {
    const before = this.currentRevision;
    this.slabs = new ValueSlabs(this.limits);
    this.slabs.durableBatch = this.deps.writer.durableBatch;
    this.#pins.clear();
    this.#unpinned = [];
    this.#compactor.reset();
    adopt(this, content);
    this.#restored(content.compaction);
    assert(
      this.currentRevision >= before,
      () => `the new content ends at revision ${this.currentRevision}, before ${before}`,
    );
    this.#runner.restart(); // S5
  }

  #restored({ scheduled, finished }: RestoredCompaction): void {
    this.#history.restored(this.currentRevision);
    this.#compactor.restored(scheduled, finished);
  }

  /** The one write transaction (S4). */
  begin(): WriteTxn {
    return this.#txn.begin();
  }

  /** Called by the transaction as it ends with changes. */
  finish(revision: number, events: readonly MvccEvent[]): void {
    this.currentRevision = revision; // S1
    const { counts } = this;
    counts.txns++;
    for (let i = 0; i < events.length; i++) {
      if (events[i]!.isDelete) counts.deletes++;
      else counts.puts++;
    }
    this.#history.add(events);
    this.#listener?.committed(revision, events);
  }

  /** Answers at once, whatever the size. For one key, or inside a turn that must not be left. */
  range(request: RangeRequest): RangeOutcome {
    const error = this.checkRevision(request.revision);
    if (error !== null) return error;
    this.counts.ranges++;
    return rangeNow(this, request, this.revisionOf(request.revision));
  }

  /**
   * Answers at once if the range is small; else returns null and calls `done` later, after slices
   * over several turns at one revision. Pass every result to {@link releaseRange} when it was sent.
   */
  rangeSliced(request: RangeRequest, done: (outcome: RangeOutcome) => void): RangeOutcome | null {
    return this.#runner.run(request, done);
  }

  releaseRange(result: RangeResult): void {
    this.#runner.release(result);
  }

  /** For RangeStream: pieces in key order at one revision. */
  rangeCursor(request: RangeRequest): RangeCursor | EtcdError {
    const error = this.checkRevision(request.revision);
    if (error !== null) return error;
    this.counts.ranges++;
    return new RangeCursor(this, request, this.revisionOf(request.revision));
  }

  /** The key's live state now, or null. */
  meta(key: Uint8Array, revision = this.currentRevision): KeyMeta | null {
    const record = this.index.find(key, revision);
    if (record === 0) return null;
    const { records } = this.index;
    return {
      createRevision: records.create(record),
      modRevision: records.main(record),
      version: records.version(record),
    };
  }

  /** Encoded KeyValue of the key at the revision, or null. */
  keyValue(key: Uint8Array, revision = this.currentRevision): Uint8Array | null {
    const record = this.index.find(key, revision);
    return record === 0 ? null : this.kvBytes(record);
  }

  /** What the key held right before `modRevision`; null if nothing or already compacted. */
  prevKeyValue(key: Uint8Array, modRevision: number): Uint8Array | null {
    if (modRevision - 1 < this.compactRevision) return null;
    return this.keyValue(key, modRevision - 1);
  }

  /** Events with fromRevision <= revision <= toRevision in order, whole revisions only. */
  history(fromRevision: number, toRevision: number, limits: HistoryLimits): HistoryOutcome {
    return this.#history.read(fromRevision, toRevision, limits);
  }

  /**
   * Schedules a compaction; null on success. `physical` runs when its rows are removed and that is
   * durable.
   */
  compact(revision: number, physical: (() => void) | null): EtcdError | null {
    return this.#compactor.compact(revision, physical);
  }

  /** HashKV; revision 0 means the current one. */
  hashKv(revision: number, done: (outcome: HashOutcome) => void): void {
    this.#hasher.hashKv(revision, done);
  }

  /** Hashes stored by the last compactions, by rising revision. */
  get compactionHashes(): readonly KvHash[] {
    return this.#hasher.stored;
  }

  /** Hash of the whole backend. */
  hash(done: (hash: number) => void): void {
    this.#hasher.hashAll(done);
  }

  checkRevision(revision: number): EtcdError | null {
    if (revision <= 0) return null;
    if (revision > this.currentRevision) return errFutureRev;
    return revision < this.compactRevision ? errCompacted : null;
  }

  revisionOf(revision: number): number {
    return revision <= 0 ? this.currentRevision : revision;
  }

  /** Encoded KeyValue of a live record. A view into immutable memory. */
  kvBytes(record: number): Uint8Array {
    const slab = this.locate(record);
    const segment = this.index.records.segment(record);
    const i = record & segmentMask;
    const end = segment.offset[i]! + frameSize(segment.length[i]!);
    return slab.bytes.subarray(end - segment.length[i]!, end);
  }

  isCached(record: number): boolean {
    return this.slabs.get(this.index.records.segment(record).slab[record & segmentMask]!) !== null;
  }

  /** The slab that holds the record's frame, read from the view again when it was dropped (S2). */
  locate(record: number): Slab {
    const segment = this.index.records.segment(record);
    const slab = this.slabs.get(segment.slab[record & segmentMask]!);
    return slab ?? this.#reload(record);
  }

  #reload(record: number): Slab {
    const segment = this.index.records.segment(record);
    const i = record & segmentMask;
    const key = encodeRevision(segment.main[i]!, segment.sub[i]!, false);
    const value = this.view.get("key", key);
    assert(value !== null, () => `row ${String(segment.main[i])} is missing in the backend`);
    const slab = this.slabs.reserveFrame(value.length, 0);
    segment.slab[i] = slab.sequence;
    segment.offset[i] = this.slabs.offset;
    segment.length[i] = value.length;
    slab.bytes.set(value, this.slabs.offset + frameSize(value.length) - value.length);
    return slab;
  }

  /** Scans a record's KeyValue into the shared scanner; valid until the next call. */
  scan(record: number): { bytes: Uint8Array; kv: KvScanner } {
    const bytes = this.kvBytes(record);
    this.#scanner.scan(bytes, 0, bytes.length);
    return { bytes, kv: this.#scanner };
  }

  /** Ends work spread over turns; nothing may be asked afterwards. */
  close(): void {
    this.isClosed = true;
  }

  get view(): View {
    return this.deps.writer.view;
  }

  /** Keeps records readable at `revision` from being pruned (S3). */
  pin(revision: number): void {
    this.#pins.set(revision, (this.#pins.get(revision) ?? 0) + 1);
  }

  unpin(revision: number): void {
    const count = this.#pins.get(revision) ?? 0;
    assert(count > 0, "unpinned twice");
    if (count > 1) this.#pins.set(revision, count - 1);
    else this.#pins.delete(revision);
    const waiting = this.#unpinned;
    this.#unpinned = [];
    for (const run of waiting) run();
  }

  /** Runs `run` now, or as soon as no read below `revision` is running. */
  whenUnpinned(revision: number, run: () => void): void {
    for (const pinned of this.#pins.keys()) {
      if (pinned < revision) {
        this.#unpinned.push(() => {
          this.whenUnpinned(revision, run);
        });
        return;
      }
    }
    run();
  }
}
