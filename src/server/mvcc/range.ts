import type { KvStore } from "./store.ts";
import { kvSize, writeKv, writeVarint, frameSize, frameTag, encodeKv } from "./kv-bytes.ts";
import { segmentBits, segmentMask } from "./records.ts";
import { compare, emptyBytes } from "../../base/bytes.ts";
import type { RangeRequest, RangeResult } from "./types.ts";
import type { Slab } from "./value-slabs.ts";

/** Runs of frames at least this long go out as views of their slab instead of copies. */
const viewBytesMin = 16 * 1024;
const chunkBytesMin = 4 * 1024;
const chunkBytesMax = 256 * 1024;
/** A value read from the backend costs about as much as looking at this many keys. */
const reloadCost = 16;

const targetKey = 0;
const targetVersion = 1;
const targetCreate = 2;
const targetMod = 3;
const targetValue = 4;
const orderNone = 0;
const orderDescend = 2;

/** Gathers frames into chunks; neighbours in a slab are copied in one go or not at all. */
class ChunkWriter {
  #chunks: Uint8Array[] = [];
  #chunk: Uint8Array = emptyBytes;
  #used = 0;
  #sealed = 0;
  #run: Slab | null = null;
  #runStart = 0;
  #runEnd = 0;
  count = 0;
  bytes = 0;

  addSlab(slab: Slab, offset: number, size: number): void {
    this.count++;
    this.bytes += size;
    if (this.#run === slab && this.#runEnd === offset) {
      this.#runEnd = offset + size;
      return;
    }
    this.#flushRun();
    this.#run = slab;
    this.#runStart = offset;
    this.#runEnd = offset + size;
  }

  /** A KeyValue without value and lease. */
  addKey(key: Uint8Array, create: number, mod: number, version: number): void {
    this.#flushRun();
    const length = kvSize(key, create, mod, version, null, 0n);
    const size = frameSize(length);
    const at = this.#reserve(size);
    this.#chunk[at] = frameTag;
    const start = writeVarint(this.#chunk, at + 1, length);
    writeKv(this.#chunk, start, key, create, mod, version, null, 0n);
    this.count++;
    this.bytes += size;
  }

  addKv(kv: Uint8Array): void {
    this.#flushRun();
    const size = frameSize(kv.length);
    const at = this.#reserve(size);
    this.#chunk[at] = frameTag;
    this.#chunk.set(kv, writeVarint(this.#chunk, at + 1, kv.length));
    this.count++;
    this.bytes += size;
  }

  /** The chunks so far; the writer starts anew. */
  take(): Uint8Array[] {
    const run = this.#run;
    if (run !== null && this.#used === this.#sealed) {
      this.#chunks.push(run.bytes.subarray(this.#runStart, this.#runEnd));
      this.#run = null;
    } else {
      this.#flushRun();
      this.#seal();
    }
    const chunks = this.#chunks;
    this.#chunks = [];
    this.count = 0;
    this.bytes = 0;
    return chunks;
  }

  #flushRun(): void {
    const slab = this.#run;
    if (slab === null) return;
    this.#run = null;
    const bytes = slab.bytes.subarray(this.#runStart, this.#runEnd);
    if (bytes.length >= viewBytesMin) {
      this.#seal();
      this.#chunks.push(bytes);
    } else {
      const at = this.#reserve(bytes.length);
      this.#chunk.set(bytes, at);
    }
  }

  #reserve(size: number): number {
    if (this.#used + size > this.#chunk.length) {
      this.#seal();
      const last = this.#chunk.length;
      const next = last === 0 ? chunkBytesMin : Math.min(chunkBytesMax, last * 4);
      this.#chunk = new Uint8Array(Math.max(next, size));
      this.#used = this.#sealed = 0;
    }
    const at = this.#used;
    this.#used += size;
    return at;
  }

  #seal(): void {
    if (this.#used > this.#sealed) {
      this.#chunks.push(this.#chunk.subarray(this.#sealed, this.#used));
    }
    this.#sealed = this.#used;
  }
}

export function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/**
 * One range at a fixed revision, worked off in steps. Keys are streamed out as they are met unless
 * a sort forces collecting them first.
 */
export class RangeJob {
  readonly #store: KvStore;
  readonly #request: RangeRequest;
  readonly revision: number;
  readonly #writer = new ChunkWriter();
  /** Where the next step starts. */
  #next: Uint8Array;
  readonly #mustSort: boolean;
  readonly #hasFilters: boolean;
  /** Keys emitted (or collected) at most; 0 for no limit. */
  readonly #limit: number;
  #keyIds: number[] = [];
  #records: number[] = [];
  #emitted = 0;
  #spent = 0;
  count = 0;
  more = false;

  constructor(store: KvStore, request: RangeRequest, revision: number) {
    this.#store = store;
    this.#request = request;
    this.revision = revision;
    this.#next = request.key;
    const { sortTarget, sortOrder } = request;
    this.#mustSort = sortTarget !== targetKey || sortOrder === orderDescend;
    this.#hasFilters =
      request.minModRevision !== 0 ||
      request.maxModRevision !== 0 ||
      request.minCreateRevision !== 0 ||
      request.maxCreateRevision !== 0;
    this.#limit = Math.max(0, request.limit);
  }

  /**
   * Looks at up to `budget` keys and emits up to `emitMax`; true once the whole interval was seen
   * and everything is emitted.
   */
  step(budget: number, emitMax = Infinity): boolean {
    const { tree, keys } = this.#store.index;
    const { rangeEnd } = this.#request;
    this.#spent = 0;
    if (rangeEnd.length === 0) {
      const id = keys.find(this.#next);
      if (id >= 0) this.#visit(id);
      return this.#finish();
    }
    let endLeaf = tree.leaves.length;
    let endIndex = 0;
    if (!isOpenEnd(rangeEnd)) {
      if (compare(rangeEnd, this.#next) <= 0) return this.#finish();
      tree.seek(rangeEnd);
      endLeaf = tree.leaf;
      endIndex = tree.index;
    }
    tree.seek(this.#next);
    let { leaf, index } = tree;
    const emitStop = this.#emitted + emitMax;
    while (leaf < endLeaf || (leaf === endLeaf && index < endIndex)) {
      const { ids, count } = tree.leaves[leaf]!;
      const stop = leaf === endLeaf ? endIndex : count;
      while (index < stop) {
        if (this.#spent >= budget || this.#emitted >= emitStop) {
          this.#next = keys.copy(ids[index]!);
          return false;
        }
        this.#visit(ids[index]!);
        index++;
      }
      leaf++;
      index = 0;
    }
    return this.#finish();
  }

  /** What was emitted since the last take. */
  take(): RangeResult {
    const { count: kvCount, bytes: chunkBytes } = this.#writer;
    const chunks = kvCount === 0 ? [] : this.#writer.take();
    return { count: this.count, more: this.more, kvCount, chunks, chunkBytes };
  }

  #visit(id: number): void {
    this.#spent++;
    const { index } = this.#store;
    const record = index.liveAt(id, this.revision);
    if (record === 0) return;
    this.count++;
    if (this.#request.countOnly) return;
    if (this.#hasFilters && !this.#passes(record)) return;
    if (this.#mustSort) {
      // Order "none" takes the first limit + 1 keys before it sorts (semantics 2).
      const isCut = this.#request.sortOrder === orderNone && !this.#hasFilters && this.#limit > 0;
      if (isCut && this.#records.length > this.#limit) return;
      this.#keyIds.push(id);
      this.#records.push(record);
    } else if (this.#limit > 0 && this.#emitted >= this.#limit) this.more = true;
    else this.#emit(id, record);
  }

  #passes(record: number): boolean {
    const { records } = this.#store.index;
    const request = this.#request;
    const mod = records.main(record);
    const create = records.create(record);
    if (request.maxModRevision !== 0 && mod > request.maxModRevision) return false;
    if (request.minModRevision !== 0 && mod < request.minModRevision) return false;
    if (request.maxCreateRevision !== 0 && create > request.maxCreateRevision) return false;
    return request.minCreateRevision === 0 || create >= request.minCreateRevision;
  }

  #emit(id: number, record: number): void {
    const store = this.#store;
    this.#emitted++;
    if (this.#request.keysOnly) {
      this.#emitKey(id, record);
      return;
    }
    const segment = store.index.records.segments[record >>> segmentBits]!;
    const i = record & segmentMask;
    let slab = store.slabs.get(segment.slab[i]!);
    if (slab === null) {
      slab = store.locate(record);
      this.#spent += reloadCost;
    }
    this.#writer.addSlab(slab, segment.offset[i]!, frameSize(segment.length[i]!));
  }

  #emitKey(id: number, record: number): void {
    const store = this.#store;
    const { records, keys } = store.index;
    const create = records.create(record);
    const mod = records.main(record);
    const version = records.version(record);
    if (this.#request.sortTarget === targetValue && store.index.hasLease(record)) {
      // Only this path answers from the stored bytes in etcd and so shows the lease.
      const lease = store.scan(record).kv.lease;
      const key = keys.view(id);
      this.#writer.addKv(encodeKv({ key, create, mod, version, value: emptyBytes, lease }));
    } else this.#writer.addKey(keys.view(id), create, mod, version);
  }

  #finish(): boolean {
    if (!this.#mustSort) return true;
    const order = this.#sorted();
    const n = this.#limit > 0 ? Math.min(this.#limit, order.length) : order.length;
    this.more = order.length > n;
    for (let i = 0; i < n; i++) this.#emit(this.#keyIds[order[i]!]!, this.#records[order[i]!]!);
    this.#keyIds = [];
    this.#records = [];
    return true;
  }

  /** Positions of the collected records in the order asked for. */
  #sorted(): number[] {
    const records = this.#records;
    const order = records.map((_, i) => i);
    const { sortTarget, sortOrder } = this.#request;
    const sign = sortOrder === orderDescend ? -1 : 1;
    if (sortTarget === targetKey) return order.reverse(); // collected in key order
    if (sortTarget === targetValue) {
      const values = records.map((record) => this.#value(record));
      return order.sort((a, b) => sign * compare(values[a]!, values[b]!));
    }
    const rank = records.map((record) => this.#rank(record));
    return order.sort((a, b) => sign * (rank[a]! - rank[b]!));
  }

  #value(record: number): Uint8Array {
    const { bytes, kv } = this.#store.scan(record);
    return bytes.subarray(kv.valueStart, kv.valueEnd);
  }

  #rank(record: number): number {
    const { records } = this.#store.index;
    switch (this.#request.sortTarget) {
      case targetVersion:
        return records.version(record);
      case targetCreate:
        return records.create(record);
      case targetMod:
        return records.main(record);
      default:
        return 0;
    }
  }
}

/** The whole range at once. A plain read of one key takes the short way. */
export function rangeNow(store: KvStore, request: RangeRequest, revision: number): RangeResult {
  if (request.rangeEnd.length === 0 && isPlain(request)) {
    const record = store.index.find(request.key, revision);
    if (record === 0) return { count: 0, more: false, kvCount: 0, chunks: [], chunkBytes: 0 };
    const slab = store.locate(record);
    const segment = store.index.records.segments[record >>> segmentBits]!;
    const start = segment.offset[record & segmentMask]!;
    const size = frameSize(segment.length[record & segmentMask]!);
    const chunk = slab.bytes.subarray(start, start + size);
    return { count: 1, more: false, kvCount: 1, chunks: [chunk], chunkBytes: size };
  }
  const job = new RangeJob(store, request, revision);
  job.step(Infinity);
  return job.take();
}

function isPlain(request: RangeRequest): boolean {
  return !(
    request.keysOnly ||
    request.countOnly ||
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}
