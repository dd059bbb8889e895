import { assert } from "../../base/assert.ts";
import type { ImageReader, ImageWriter } from "./image-blocks.ts";
import { copyBytes } from "./kv-bytes.ts";

/**
 * The bytes of every key the index knows, in slabs, and a hash from bytes to key id. There is no
 * JavaScript object per key.
 *
 * KT1  A key id is in the hash exactly while it is in use; its bytes do not move.
 * KT2  Freed bytes are reused for keys of the same rounded size, so churn does not grow the slabs.
 * KT3  Growing handles one hash shard or one segment at a time (well under 1 ms each).
 */

const slabBits = 17;
const slabUnits = 1 << slabBits; // of 8 bytes: 1 MiB
const unitsPooledMax = 4096; // larger keys get a slab of their own
const idBits = 14;
const idMask = (1 << idBits) - 1;
const shardCount = 1024;
const shardSlotsMin = 8;
/** Shards of one block of the index image. */
const shardsPerBlock = 64;

class KeySegment {
  /** In units; slab number in the upper 15 bits, unit within the slab below. */
  readonly address: Uint32Array;
  readonly length: Uint32Array;
  /** Newest record of the key; for a free id, the next free id. */
  readonly head: Uint32Array;

  constructor(memory = new ArrayBuffer(12 << idBits)) {
    const n = 1 << idBits;
    this.address = new Uint32Array(memory, 0, n);
    this.length = new Uint32Array(memory, 4 * n, n);
    this.head = new Uint32Array(memory, 8 * n, n);
  }

  get memory(): ArrayBuffer {
    return this.address.buffer as ArrayBuffer;
  }
}

export class KeyTable {
  readonly #segments: KeySegment[] = [new KeySegment()];
  #nextId = 0;
  /** Free id + 1, 0 for none. */
  #freeId = 0;
  count = 0;

  readonly #slabs: (Uint8Array | null)[] = [];
  readonly #freeSlabs: number[] = [];
  #current = -1;
  #currentUnits = slabUnits;
  /**
   * Per size in units: address + 1 of the first free place; the next one is stored in the place.
   */
  readonly #freePlaces = new Float64Array(unitsPooledMax + 1);

  /** Pairs of hash and id + 1; a slot with id 0 is empty. */
  readonly #shards: Uint32Array[] = [];
  readonly #shardCounts = new Uint32Array(shardCount);
  #seed: number;

  /** Bytes equal at the start in the last {@link compareFrom}. */
  common = 0;
  #hash = 0;

  constructor(seed: number) {
    this.#seed = seed;
    for (let i = 0; i < shardCount; i++) this.#shards.push(new Uint32Array(2 * shardSlotsMin));
  }

  head(id: number): number {
    return this.#segments[id >>> idBits]!.head[id & idMask]!;
  }

  setHead(id: number, record: number): void {
    this.#segments[id >>> idBits]!.head[id & idMask] = record;
  }

  length(id: number): number {
    return this.#segments[id >>> idBits]!.length[id & idMask]!;
  }

  /** A view of the key's bytes, valid until the key is removed. */
  view(id: number): Uint8Array {
    const segment = this.#segments[id >>> idBits]!;
    const address = segment.address[id & idMask]!;
    const start = (address & (slabUnits - 1)) << 3;
    return this.#slabs[address >>> slabBits]!.subarray(start, start + segment.length[id & idMask]!);
  }

  copy(id: number): Uint8Array {
    return this.view(id).slice();
  }

  /** The byte at `index` of the key, or -1 past its end. */
  byteAt(id: number, index: number): number {
    const segment = this.#segments[id >>> idBits]!;
    if (index >= segment.length[id & idMask]!) return -1;
    const address = segment.address[id & idMask]!;
    return this.#slabs[address >>> slabBits]![((address & (slabUnits - 1)) << 3) + index]!;
  }

  /** The number made of the four bytes at `from`, zeros past the key's end. */
  headAt(id: number, from: number): number {
    const segment = this.#segments[id >>> idBits]!;
    const address = segment.address[id & idMask]!;
    const bytes = this.#slabs[address >>> slabBits]!;
    const at = ((address & (slabUnits - 1)) << 3) + from;
    const left = segment.length[id & idMask]! - from;
    if (left > 3) {
      return (
        ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
      );
    }
    const a = left > 0 ? bytes[at]! : 0;
    const b = left > 1 ? bytes[at + 1]! : 0;
    const c = left > 2 ? bytes[at + 2]! : 0;
    return ((a << 24) | (b << 16) | (c << 8)) >>> 0;
  }

  /** Order of the key against `key`, both known to be equal in their first `from` bytes. */
  compareFrom(id: number, key: Uint8Array, from: number): number {
    const segment = this.#segments[id >>> idBits]!;
    const address = segment.address[id & idMask]!;
    const length = segment.length[id & idMask]!;
    const bytes = this.#slabs[address >>> slabBits]!;
    const start = (address & (slabUnits - 1)) << 3;
    const n = length < key.length ? length : key.length;
    for (let i = from; i < n; i++) {
      const d = bytes[start + i]! - key[i]!;
      if (d !== 0) {
        this.common = i;
        return d;
      }
    }
    this.common = n;
    return length - key.length;
  }

  /** The key's id, or -1. */
  find(key: Uint8Array): number {
    const hash = this.#hashOf(key);
    this.#hash = hash;
    const shard = this.#shards[hash >>> 22]!;
    const mask = shard.length - 1;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const id = shard[at + 1]!;
      if (id === 0) return -1;
      if (shard[at] === hash && this.#equals(id - 1, key)) return id - 1;
    }
  }

  /** Adds a key for which {@link find} has just answered -1. Its head is 0. */
  add(key: Uint8Array): number {
    const id = this.#takeId();
    const segment = this.#segments[id >>> idBits]!;
    const address = this.#place(Math.max(1, (key.length + 7) >>> 3));
    segment.address[id & idMask] = address;
    segment.length[id & idMask] = key.length;
    segment.head[id & idMask] = 0;
    copyBytes(this.#slabs[address >>> slabBits]!, (address & (slabUnits - 1)) << 3, key);
    this.#insert(this.#hash, id);
    this.count++;
    return id;
  }

  /** Forgets the key and frees its id and bytes. */
  remove(id: number): void {
    const segment = this.#segments[id >>> idBits]!;
    this.#unlink(this.#hashOf(this.view(id)), id);
    this.#freePlace(
      segment.address[id & idMask]!,
      Math.max(1, (segment.length[id & idMask]! + 7) >>> 3),
    );
    segment.head[id & idMask] = this.#freeId;
    this.#freeId = id + 1;
    this.count--;
  }

  /** The table as it stands, free places included; the seed too, as the hashes depend on it. */
  save(out: ImageWriter): void {
    out.add("keyNumbers", [
      new Float64Array([this.#nextId, this.#freeId, this.count, this.#seed]),
      new Float64Array([this.#current, this.#currentUnits]),
    ]);
    out.add("keyFreePlaces", [this.#freePlaces]);
    for (const segment of this.#segments) out.add("keySegment", [new Uint8Array(segment.memory)]);
    for (const slab of this.#slabs) out.add("keySlab", slab === null ? [] : [slab]);
    for (let i = 0; i < shardCount; i += shardsPerBlock) {
      const shards = this.#shards.slice(i, i + shardsPerBlock);
      const lengths = Uint32Array.from(shards, (shard) => shard.length);
      const counts = this.#shardCounts.subarray(i, i + shardsPerBlock);
      out.add("keyShards", [lengths, counts, ...shards]);
    }
  }

  /** Fills a new table. */
  load(image: ImageReader): void {
    const numbers = new Float64Array(image.one("keyNumbers"));
    this.#nextId = numbers[0]!;
    this.#freeId = numbers[1]!;
    this.count = numbers[2]!;
    this.#seed = numbers[3]!;
    this.#current = numbers[4]!;
    this.#currentUnits = numbers[5]!;
    this.#freePlaces.set(new Float64Array(image.one("keyFreePlaces")));
    this.#segments.length = 0;
    for (const memory of image.all("keySegment")) this.#segments.push(new KeySegment(memory));
    for (const memory of image.all("keySlab")) {
      if (memory.byteLength === 0) this.#freeSlabs.push(this.#slabs.length);
      this.#slabs.push(memory.byteLength === 0 ? null : new Uint8Array(memory));
    }
    let next = 0;
    for (const memory of image.all("keyShards")) {
      const lengths = new Uint32Array(memory, 0, shardsPerBlock);
      let at = 8 * shardsPerBlock;
      this.#shardCounts.set(new Uint32Array(memory, at / 2, shardsPerBlock), next);
      for (const length of lengths) {
        this.#shards[next++] = new Uint32Array(memory, at, length);
        at += 4 * length;
      }
    }
  }

  #equals(id: number, key: Uint8Array): boolean {
    const segment = this.#segments[id >>> idBits]!;
    if (segment.length[id & idMask] !== key.length) return false;
    const address = segment.address[id & idMask]!;
    const bytes = this.#slabs[address >>> slabBits]!;
    const start = (address & (slabUnits - 1)) << 3;
    // The end differs more often than the start, which keys tend to share.
    for (let i = key.length - 1; i >= 0; i--) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  /** Murmur3 of 32 bits; the seed keeps clients from choosing colliding keys in advance. */
  #hashOf(key: Uint8Array): number {
    let h = this.#seed;
    const n = key.length;
    const blocks = n & ~3;
    for (let i = 0; i < blocks; i += 4) {
      let k = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24);
      k = Math.imul(k, 0xcc9e2d51);
      k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      h ^= k;
      h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
    }
    let tail = 0;
    for (let i = n - 1; i >= blocks; i--) tail = (tail << 8) | key[i]!;
    tail = Math.imul(tail, 0xcc9e2d51);
    h ^= Math.imul((tail << 15) | (tail >>> 17), 0x1b873593) ^ n;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  }

  #insert(hash: number, id: number): void {
    const index = hash >>> 22;
    let shard = this.#shards[index]!;
    const count = this.#shardCounts[index]! + 1;
    this.#shardCounts[index] = count;
    if (count * 8 > shard.length * 3) shard = this.#grow(index); // fuller than 3/4
    const mask = shard.length - 1;
    let at = (hash << 1) & mask;
    while (shard[at + 1] !== 0) at = (at + 2) & mask;
    shard[at] = hash;
    shard[at + 1] = id + 1;
  }

  /** KT3. */
  #grow(index: number): Uint32Array {
    const old = this.#shards[index]!;
    const shard = new Uint32Array(old.length * 2);
    const mask = shard.length - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue;
      let at = (old[i]! << 1) & mask;
      while (shard[at + 1] !== 0) at = (at + 2) & mask;
      shard[at] = old[i]!;
      shard[at + 1] = old[i + 1]!;
    }
    this.#shards[index] = shard;
    return shard;
  }

  /** Removes a slot and closes the gap, so look-ups may stop at the first empty slot. */
  #unlink(hash: number, id: number): void {
    const shard = this.#shards[hash >>> 22]!;
    const mask = shard.length - 1;
    let hole = (hash << 1) & mask;
    while (shard[hole + 1] !== id + 1) {
      assert(shard[hole + 1] !== 0, "key is not in the hash"); // KT1
      hole = (hole + 2) & mask;
    }
    for (let at = (hole + 2) & mask; shard[at + 1] !== 0; at = (at + 2) & mask) {
      const home = (shard[at]! << 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      shard[hole] = shard[at]!;
      shard[hole + 1] = shard[at + 1]!;
      hole = at;
    }
    shard[hole + 1] = 0;
    this.#shardCounts[hash >>> 22]!--;
  }

  #takeId(): number {
    if (this.#freeId !== 0) {
      const id = this.#freeId - 1;
      this.#freeId = this.#segments[id >>> idBits]!.head[id & idMask]!;
      return id;
    }
    const id = this.#nextId++;
    if (id >>> idBits === this.#segments.length) this.#segments.push(new KeySegment());
    return id;
  }

  #place(units: number): number {
    if (units > unitsPooledMax) return this.#newSlab(units) * slabUnits;
    const free = this.#freePlaces[units]!;
    if (free !== 0) {
      this.#freePlaces[units] = this.#readLink(free - 1);
      return free - 1;
    }
    if (this.#currentUnits + units > slabUnits) {
      this.#current = this.#newSlab(slabUnits);
      this.#currentUnits = 0;
    }
    const address = this.#current * slabUnits + this.#currentUnits;
    this.#currentUnits += units;
    return address;
  }

  /** KT2. */
  #freePlace(address: number, units: number): void {
    if (units > unitsPooledMax) {
      const slab = address >>> slabBits;
      this.#slabs[slab] = null;
      this.#freeSlabs.push(slab);
      return;
    }
    const next = this.#freePlaces[units]!;
    const bytes = this.#slabs[address >>> slabBits]!;
    const start = (address & (slabUnits - 1)) << 3;
    for (let i = 0; i < 8; i++) bytes[start + i] = Math.floor(next / 2 ** (8 * i)) % 256;
    this.#freePlaces[units] = address + 1;
  }

  #readLink(address: number): number {
    const bytes = this.#slabs[address >>> slabBits]!;
    const start = (address & (slabUnits - 1)) << 3;
    let next = 0;
    for (let i = 7; i >= 0; i--) next = next * 256 + bytes[start + i]!;
    return next;
  }

  #newSlab(units: number): number {
    const bytes = new Uint8Array(units * 8);
    const slab = this.#freeSlabs.pop();
    if (slab !== undefined) {
      this.#slabs[slab] = bytes;
      return slab;
    }
    assert((this.#slabs.length + 1) * slabUnits <= 0xffff_ffff, "key slabs are used up");
    return this.#slabs.push(bytes) - 1;
  }
}
