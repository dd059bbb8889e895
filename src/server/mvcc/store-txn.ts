import { assert } from "../../base/assert.ts";
import { compare } from "../../base/bytes.ts";
import { frameSize, kvSize, varintSize, writeKv } from "./kv-bytes.ts";
import { isOpenEnd, rangeNow } from "./range.ts";
import { flagLease, flagTombstone, segmentBits, segmentMask } from "./records.ts";
import { encodeRevision } from "./revision.ts";
import type { KvStore } from "./store.ts";
import type { KeyMeta, MvccEvent, RangeRequest, RangeResult, WriteTxn } from "./types.ts";

/** An event over its encoded KeyValue; the key's view is made only when asked for. */
export class StoredEvent implements MvccEvent {
  readonly isDelete: boolean;
  readonly modRevision: number;
  readonly sub: number;
  readonly kv: Uint8Array;
  readonly #keyLength: number;

  constructor(
    isDelete: boolean,
    modRevision: number,
    sub: number,
    kv: Uint8Array,
    keyLength: number,
  ) {
    this.isDelete = isDelete;
    this.modRevision = modRevision;
    this.sub = sub;
    this.kv = kv;
    this.#keyLength = keyLength;
  }

  get key(): Uint8Array {
    const start = 1 + varintSize(this.#keyLength); // the key is the first field
    return this.kv.subarray(start, start + this.#keyLength);
  }
}

/** The store's one write transaction, used again and again (S4). */
export class Txn implements WriteTxn {
  readonly #store: KvStore;
  #isOpen = false;
  #main = 0;
  #events: MvccEvent[] = [];
  constructor(store: KvStore) {
    this.#store = store;
  }

  begin(): this {
    assert(!this.#isOpen, "a transaction is open already");
    this.#isOpen = true;
    this.#main = this.#store.currentRevision + 1;
    return this;
  }

  get revision(): number {
    return this.#events.length > 0 ? this.#main : this.#main - 1;
  }

  put(key: Uint8Array, value: Uint8Array, lease: bigint): void {
    assert(this.#isOpen, "no transaction is open");
    const { index, slabs, deps } = this.#store;
    const main = this.#main;
    const sub = this.#events.length;
    const id = index.ensure(key);
    const head = index.keys.head(id);
    let create = main;
    let version = 1;
    let hadLease = false;
    if (head !== 0) {
      const segment = index.records.segments[head >>> segmentBits]!;
      const flags = segment.flags[head & segmentMask]!;
      if ((flags & flagTombstone) === 0) {
        create = segment.create[head & segmentMask]!;
        version = segment.version[head & segmentMask]! + 1;
        hadLease = (flags & flagLease) !== 0;
      }
    }
    const length = kvSize(key, create, main, version, value, lease);
    const slab = slabs.reserveFrame(length, deps.writer.openBatch);
    const offset = slabs.offset;
    const start = offset + frameSize(length) - length;
    const end = writeKv(slab.bytes, start, key, create, main, version, value, lease);
    assert(end === start + length, "KeyValue size is wrong");

    const record = index.push(id, main, sub, create, version, lease === 0n ? 0 : flagLease);
    const segment = index.records.segments[record >>> segmentBits]!;
    segment.slab[record & segmentMask] = slab.sequence;
    segment.offset[record & segmentMask] = offset;
    segment.length[record & segmentMask] = length;

    const kv = slab.bytes.subarray(start, end);
    deps.writer.put("key", encodeRevision(main, sub, false), kv);
    const event = new StoredEvent(false, main, sub, kv, key.length);
    if (sub === 0)
      this.#events = [event]; // most have one; growing would reserve space for many
    else this.#events.push(event);
    if (hadLease || lease !== 0n) this.#changeLease(key.slice(), hadLease, lease);
  }

  #changeLease(key: Uint8Array, hadLease: boolean, lease: bigint): void {
    const { leases } = this.#store.deps;
    const old = hadLease ? leases.leaseOf(key) : 0n;
    if (old === lease) return;
    if (old !== 0n) leases.detach(old, key);
    if (lease !== 0n) leases.attach(lease, key);
  }

  deleteRange(key: Uint8Array, rangeEnd: Uint8Array): number {
    assert(this.#isOpen, "no transaction is open");
    const ids = this.#liveKeys(key, rangeEnd);
    for (const id of ids) this.#delete(id);
    return ids.length;
  }

  forEach(key: Uint8Array, rangeEnd: Uint8Array, visit: (kv: Uint8Array) => boolean): void {
    const { index } = this.#store;
    for (const id of this.#liveKeys(key, rangeEnd)) {
      if (!visit(this.#store.kvBytes(index.liveAt(id, this.#main)))) return;
    }
  }

  /** Ids of the live keys of the interval, in key order. */
  #liveKeys(key: Uint8Array, rangeEnd: Uint8Array): number[] {
    const { index } = this.#store;
    const { tree } = index;
    const ids: number[] = [];
    if (rangeEnd.length === 0) {
      const id = index.keys.find(key);
      if (id >= 0 && index.liveAt(id, this.#main) !== 0) ids.push(id);
      return ids;
    }
    if (!isOpenEnd(rangeEnd) && compare(key, rangeEnd) >= 0) return ids;
    let endLeaf = tree.leaves.length;
    let endIndex = 0;
    if (!isOpenEnd(rangeEnd)) {
      tree.seek(rangeEnd);
      endLeaf = tree.leaf;
      endIndex = tree.index;
    }
    tree.seek(key);
    let from = tree.index;
    for (let at = tree.leaf; at <= endLeaf && at < tree.leaves.length; at++) {
      const leaf = tree.leaves[at]!;
      const stop = at === endLeaf ? endIndex : leaf.count;
      for (let i = from; i < stop; i++) {
        if (index.liveAt(leaf.ids[i]!, this.#main) !== 0) ids.push(leaf.ids[i]!);
      }
      from = 0;
    }
    return ids;
  }

  #delete(id: number): void {
    const { index, slabs, deps } = this.#store;
    const main = this.#main;
    const sub = this.#events.length;
    const key = index.keys.view(id);
    const hadLease = index.hasLease(index.keys.head(id));
    // The row holds the key alone; the event has the revision behind it.
    const rowLength = kvSize(key, 0, 0, 0, null, 0n);
    const length = kvSize(key, 0, main, 0, null, 0n);
    const slab = slabs.reserve(length, deps.writer.openBatch);
    const start = slabs.offset;
    writeKv(slab.bytes, start, key, 0, main, 0, null, 0n);
    index.push(id, main, sub, 0, 0, flagTombstone);
    deps.writer.put(
      "key",
      encodeRevision(main, sub, true),
      slab.bytes.subarray(start, start + rowLength),
    );
    const kv = slab.bytes.subarray(start, start + length);
    this.#events.push(new StoredEvent(true, main, sub, kv, key.length));
    if (hadLease) this.#changeLease(key.slice(), true, 0n);
  }

  range(request: RangeRequest): RangeResult {
    const revision = request.revision > 0 ? request.revision : this.revision;
    this.#store.counts.ranges++;
    return rangeNow(this.#store, request, revision);
  }

  meta(key: Uint8Array): KeyMeta | null {
    return this.#store.meta(key, this.#main);
  }

  keyValue(key: Uint8Array): Uint8Array | null {
    return this.#store.keyValue(key, this.#main);
  }

  end(): number {
    assert(this.#isOpen, "no transaction is open");
    this.#isOpen = false;
    const events = this.#events;
    if (events.length === 0) return this.#store.currentRevision;
    this.#events = [];
    this.#store.finish(this.#main, events);
    return this.#main;
  }
}
