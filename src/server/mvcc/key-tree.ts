import { assert } from "../../base/assert.ts";
import { emptyBytes } from "../../base/bytes.ts";
import type { ImageReader, ImageWriter } from "./image-blocks.ts";
import type { KeyTable } from "./key-table.ts";

/**
 * Key ids in bytewise order of their keys: leaves of ids in one ordered array. With 128 to 256 ids
 * per leaf the array of leaves stays small enough (4,000 to 8,000 per million keys) that inserting
 * a leaf is cheaper than keeping inner nodes.
 *
 * A search touches few keys: leaves are found by their `low` keys, and inside a leaf four bytes of
 * each key behind the common prefix are kept next to each other.
 *
 * T1  Every leaf holds 1 to leafIdsMax ids in strictly rising key order; leaves too are in order.
 * T2  A leaf's `low` is at most its first key and above every key of the leaf before.
 * T3  `low` and all keys of a leaf share their first `prefix` bytes; heads[i] is the number made of
 *     the next four bytes of key i, zeros past its end.
 */

const leafIdsMax = 256;
/** Leaves of one block of the index image. */
const leavesPerBlock = 256;

class Leaf {
  readonly ids: Uint32Array;
  readonly heads: Uint32Array;
  count = 0;
  low: Uint8Array = emptyBytes;
  prefix = 0;

  constructor(ids = new Uint32Array(leafIdsMax), heads = new Uint32Array(leafIdsMax)) {
    this.ids = ids;
    this.heads = heads;
  }
}

export class KeyTree {
  readonly leaves: Leaf[] = [];
  readonly #keys: KeyTable;
  /** Where the last {@link seek} ended: the first key >= the one sought. */
  leaf = 0;
  index = 0;
  /** Whether that key is the one sought. */
  found = false;
  /** Bytes the key sought shares with `low` of the leaf it was looked for in. */
  #common = 0;

  constructor(keys: KeyTable) {
    this.#keys = keys;
  }

  /** Moves to the first key >= `key`: (leaves.length, 0) when there is none. */
  seek(key: Uint8Array): void {
    this.#locate(key);
    if (this.leaf < this.leaves.length && this.index === this.leaves[this.leaf]!.count) {
      this.leaf++;
      this.index = 0;
    }
  }

  /** As seek, but a key behind the last one of its leaf is at that leaf's end. */
  #locate(key: Uint8Array): void {
    const at = this.#leafFor(key);
    this.found = false;
    if (at < 0) {
      this.leaf = 0;
      this.index = 0;
      return;
    }
    const leaf = this.leaves[at]!;
    this.leaf = at;
    // The key is not below `low`: if it leaves the prefix early it is above all keys here (T3).
    if (this.#common < leaf.prefix) this.index = leaf.count;
    else this.#searchLeaf(leaf, key);
  }

  /** The last leaf whose `low` is at most `key`, or -1; sets `#common`. */
  #leafFor(key: Uint8Array): number {
    const { leaves } = this;
    let low = 0;
    let high = leaves.length;
    // Bytes known equal on both sides of the interval need no second look.
    let commonLow = 0;
    let commonHigh = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = leaves[middle]!.low;
      const n = other.length < key.length ? other.length : key.length;
      let i = commonLow < commonHigh ? commonLow : commonHigh;
      while (i < n && other[i] === key[i]) i++;
      if (i < n ? other[i]! < key[i]! : other.length <= key.length) {
        low = middle + 1;
        commonLow = i;
      } else {
        high = middle;
        commonHigh = i;
      }
    }
    this.#common = low === 0 ? commonHigh : commonLow;
    return low - 1;
  }

  #searchLeaf(leaf: Leaf, key: Uint8Array): void {
    const { heads, ids, prefix } = leaf;
    const head = headOf(key, prefix);
    let low = 0;
    let high = leaf.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (heads[middle]! < head) low = middle + 1;
      else high = middle;
    }
    high = low;
    for (let step = 1; high < leaf.count && heads[high] === head; step *= 2) {
      high = Math.min(leaf.count, high + step);
    }
    // Equal heads lie between the two, and possibly some larger ones.
    while (low < high) {
      const middle = (low + high) >>> 1;
      const d = heads[middle] === head ? this.#keys.compareFrom(ids[middle]!, key, prefix) : 1;
      if (d < 0) low = middle + 1;
      else {
        high = middle;
        if (d === 0) {
          this.found = true;
          break;
        }
      }
    }
    this.index = high;
  }

  /** Inserts a key that is not there. */
  insert(id: number, key: Uint8Array): void {
    this.#locate(key);
    assert(!this.found, "key is in the tree already");
    if (this.leaves.length === 0) this.leaves.push(new Leaf());
    let at = this.leaf;
    if (this.leaves[at]!.count === leafIdsMax) {
      this.#split(at, this.index);
      this.#locate(key);
      at = this.leaf;
    }
    const leaf = this.leaves[at]!;
    const index = this.index;
    this.#admit(leaf, key);
    leaf.ids.copyWithin(index + 1, index, leaf.count);
    leaf.heads.copyWithin(index + 1, index, leaf.count);
    leaf.ids[index] = id;
    leaf.heads[index] = headOf(key, leaf.prefix);
    leaf.count++;
  }

  /** Makes room for `key` in the leaf's `low` and prefix (T2, T3). */
  #admit(leaf: Leaf, key: Uint8Array): void {
    if (leaf.count === 0) {
      leaf.low = key.slice();
      leaf.prefix = key.length;
      return;
    }
    if (this.#common < leaf.prefix) {
      leaf.prefix = this.#common;
      this.#readHeads(leaf);
    }
    if (this.#isBelow(key, leaf.low)) leaf.low = key.slice();
  }

  #isBelow(key: Uint8Array, low: Uint8Array): boolean {
    const i = this.#common;
    return i < key.length && i < low.length ? key[i]! < low[i]! : key.length < low.length;
  }

  /** Splits a full leaf; keys arriving in rising order leave full leaves behind. */
  #split(at: number, index: number): void {
    const leaf = this.leaves[at]!;
    const isAppend = index === leaf.count && at === this.leaves.length - 1;
    const keep = isAppend ? leaf.count - 1 : leaf.count >>> 1;
    const right = new Leaf();
    right.ids.set(leaf.ids.subarray(keep, leaf.count));
    right.count = leaf.count - keep;
    leaf.count = keep;
    this.#refresh(leaf);
    this.#refresh(right);
    this.leaves.splice(at + 1, 0, right);
  }

  remove(key: Uint8Array): void {
    this.#locate(key);
    assert(this.found, "key is not in the tree");
    const { index } = this;
    const leaf = this.leaves[this.leaf]!;
    leaf.ids.copyWithin(index, index + 1, leaf.count);
    leaf.heads.copyWithin(index, index + 1, leaf.count);
    leaf.count--;
    if (leaf.count === 0) this.leaves.splice(this.leaf, 1);
    else if (leaf.count < leafIdsMax / 8) this.#merge(this.leaf);
  }

  /** Joins a sparse leaf with a neighbour if the result is at most half full. */
  #merge(at: number): void {
    const left = at > 0 ? at - 1 : at;
    const a = this.leaves[left]!;
    const b = this.leaves[left + 1];
    if (b === undefined || a.count + b.count > leafIdsMax / 2) return;
    a.ids.set(b.ids.subarray(0, b.count), a.count);
    a.count += b.count;
    this.#refresh(a);
    this.leaves.splice(left + 1, 1);
  }

  /** Fills an empty tree from ids that are in key order already. */
  build(sorted: Uint32Array): void {
    assert(this.leaves.length === 0, "tree is not empty");
    const fill = (leafIdsMax * 3) >>> 2;
    for (let i = 0; i < sorted.length; i += fill) {
      const leaf = new Leaf();
      leaf.count = Math.min(fill, sorted.length - i);
      leaf.ids.set(sorted.subarray(i, i + leaf.count));
      this.#refresh(leaf);
      this.leaves.push(leaf);
    }
  }

  save(out: ImageWriter): void {
    for (let from = 0; from < this.leaves.length; from += leavesPerBlock) {
      const leaves = this.leaves.slice(from, from + leavesPerBlock);
      out.add("leaves", [
        new Uint32Array([leaves.length]),
        Uint32Array.from(leaves.flatMap((leaf) => [leaf.count, leaf.prefix, leaf.low.length])),
        ...leaves.flatMap((leaf) => [leaf.ids, leaf.heads]),
        ...leaves.map((leaf) => leaf.low),
      ]);
    }
  }

  /** Fills an empty tree. */
  load(image: ImageReader): void {
    for (const memory of image.all("leaves")) {
      const leafCount = new Uint32Array(memory, 0, 1)[0]!;
      const facts = new Uint32Array(memory, 4, 3 * leafCount);
      let at = 4 + 12 * leafCount;
      let lowAt = at + 8 * leafIdsMax * leafCount;
      for (let i = 0; i < leafCount; i++) {
        const ids = new Uint32Array(memory, at, leafIdsMax);
        const leaf = new Leaf(ids, new Uint32Array(memory, at + 4 * leafIdsMax, leafIdsMax));
        at += 8 * leafIdsMax;
        leaf.count = facts[3 * i]!;
        leaf.prefix = facts[3 * i + 1]!;
        const lowBytes = facts[3 * i + 2]!;
        leaf.low = new Uint8Array(memory, lowAt, lowBytes);
        lowAt += lowBytes;
        this.leaves.push(leaf);
      }
    }
  }

  /** Sets `low`, prefix and heads from the keys themselves. */
  #refresh(leaf: Leaf): void {
    const keys = this.#keys;
    leaf.low = keys.copy(leaf.ids[0]!);
    keys.compareFrom(leaf.ids[leaf.count - 1]!, leaf.low, 0);
    leaf.prefix = keys.common; // what first and last share, all share
    this.#readHeads(leaf);
  }

  #readHeads(leaf: Leaf): void {
    for (let i = 0; i < leaf.count; i++) {
      leaf.heads[i] = this.#keys.headAt(leaf.ids[i]!, leaf.prefix);
    }
  }
}

function headOf(key: Uint8Array, at: number): number {
  const left = key.length - at;
  const a = left > 0 ? key[at]! : 0;
  const b = left > 1 ? key[at + 1]! : 0;
  const c = left > 2 ? key[at + 2]! : 0;
  const d = left > 3 ? key[at + 3]! : 0;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
