import { assert } from "../../base/assert.ts";
import type { KeyTable } from "./key-table.ts";

/**
 * Key ids in bytewise order of their keys: leaves of ids in one ordered array. With 128 to 256 ids
 * per leaf the array of leaves stays small enough (4,000 to 8,000 per million keys) that inserting
 * a leaf is cheaper than keeping inner nodes.
 *
 * T1  Every leaf holds 1 to leafIdsMax ids in strictly rising key order; leaves too are in order.
 */

export const leafIdsMax = 256;

export class Leaf {
  readonly ids = new Uint32Array(leafIdsMax);
  count = 0;
}

export class KeyTree {
  readonly leaves: Leaf[] = [];
  readonly #keys: KeyTable;
  /** Where the last {@link seek} ended: the first key >= the one sought. */
  leaf = 0;
  index = 0;
  /** Whether that key is the one sought. */
  found = false;

  constructor(keys: KeyTable) {
    this.#keys = keys;
  }

  /** Moves to the first key >= `key`: (leaves.length, 0) when there is none. */
  seek(key: Uint8Array): void {
    const { leaves } = this;
    const keys = this.#keys;
    this.found = false;
    // First the last leaf that starts at or before `key`. Both searches skip the bytes known equal
    // on both sides of the interval.
    let low = 0;
    let high = leaves.length;
    let commonLow = 0;
    let commonHigh = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const from = commonLow < commonHigh ? commonLow : commonHigh;
      if (keys.compareFrom(leaves[middle]!.ids[0]!, key, from) <= 0) {
        low = middle + 1;
        commonLow = keys.common;
      } else {
        high = middle;
        commonHigh = keys.common;
      }
    }
    if (low === 0) {
      this.leaf = 0;
      this.index = 0;
      return;
    }
    this.#seekInLeaf(low - 1, key, commonLow, commonHigh);
  }

  #seekInLeaf(at: number, key: Uint8Array, commonLow: number, commonHigh: number): void {
    const keys = this.#keys;
    const leaf = this.leaves[at]!;
    const ids = leaf.ids;
    let low = 0;
    let high = leaf.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const from = commonLow < commonHigh ? commonLow : commonHigh;
      const d = keys.compareFrom(ids[middle]!, key, from);
      if (d < 0) {
        low = middle + 1;
        commonLow = keys.common;
      } else {
        high = middle;
        commonHigh = keys.common;
        if (d === 0) {
          this.found = true;
          break;
        }
      }
    }
    this.leaf = at;
    this.index = high;
    if (high === leaf.count) {
      this.leaf++;
      this.index = 0;
    }
  }

  /** Inserts a key that is not there. */
  insert(id: number, key: Uint8Array): void {
    this.seek(key);
    assert(!this.found, "key is in the tree already");
    let at = this.leaf;
    let index = this.index;
    if (index === 0 && at > 0) {
      // Append to the leaf before rather than put a new first key into the next one.
      at--;
      index = this.leaves[at]!.count;
    }
    if (this.leaves.length === 0) this.leaves.push(new Leaf());
    let leaf = this.leaves[at]!;
    if (leaf.count === leafIdsMax) {
      const right = this.#split(at, index);
      if (index > leaf.count || leaf.count === leafIdsMax) {
        index -= leaf.count;
        leaf = right;
      }
    }
    leaf.ids.copyWithin(index + 1, index, leaf.count);
    leaf.ids[index] = id;
    leaf.count++;
  }

  /** Splits a full leaf; keys arriving in rising order leave full leaves behind. */
  #split(at: number, index: number): Leaf {
    const leaf = this.leaves[at]!;
    const right = new Leaf();
    const keep =
      index === leaf.count && at === this.leaves.length - 1 ? leaf.count : leaf.count >>> 1;
    right.ids.set(leaf.ids.subarray(keep, leaf.count));
    right.count = leaf.count - keep;
    leaf.count = keep;
    this.leaves.splice(at + 1, 0, right);
    return right;
  }

  remove(key: Uint8Array): void {
    this.seek(key);
    assert(this.found, "key is not in the tree");
    const leaf = this.leaves[this.leaf]!;
    leaf.ids.copyWithin(this.index, this.index + 1, leaf.count);
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
      this.leaves.push(leaf);
    }
  }
}
