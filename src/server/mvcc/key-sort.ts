import type { KeyTable } from "./key-table.ts";

/**
 * Sorts many key ids by their keys' bytes, for filling the tree at once: radix-like, five or six
 * bytes per level behind the group's common prefix, each level one native sort of 64-bit numbers
 * made of those bytes and a position. A comparison function would cost several times as much.
 */

const groupMax = 1 << 24;
/** Up to here positions take 16 bits and leave 48 for the key, else 24 and 40. */
const mediumMax = 1 << 16;
const sampleCount = 16;
const smallMax = 24;

interface Group {
  from: number;
  to: number;
  depth: number;
}

export function sortKeyIds(keys: KeyTable, ids: Uint32Array): void {
  const pending: Group[] = [{ from: 0, to: ids.length, depth: 0 }];
  const scratch = new Sorter(keys, ids);
  for (let group = pending.pop(); group !== undefined; group = pending.pop()) {
    if (group.to - group.from <= smallMax) scratch.insertionSort(group);
    else if (group.to - group.from > groupMax) scratch.splitByByte(group, pending);
    else scratch.sortGroup(group, pending);
  }
}

class Sorter {
  readonly #keys: KeyTable;
  readonly #ids: Uint32Array;
  #words: Uint32Array = new Uint32Array(0);
  #copy: Uint32Array = new Uint32Array(0);

  constructor(keys: KeyTable, ids: Uint32Array) {
    this.#keys = keys;
    this.#ids = ids;
  }

  sortGroup(group: Group, pending: Group[]): void {
    const { from, to } = group;
    const ids = this.#ids;
    const n = to - from;
    const positionBits = n > mediumMax ? 24 : 16;
    this.#reserve(n);
    const words = this.#words;
    const copy = this.#copy;
    const depth = this.#readWords(group, positionBits);
    new BigUint64Array(words.buffer, 0, n).sort();
    const mask = 2 ** positionBits - 1;
    for (let i = 0; i < n; i++) ids[from + i] = copy[words[2 * i]! & mask]!;
    let start = 0;
    for (let i = 1; i <= n; i++) {
      const same =
        i < n &&
        words[2 * i + 1] === words[2 * start + 1] &&
        words[2 * i]! >>> positionBits === words[2 * start]! >>> positionBits;
      if (same) continue;
      // Zero padding cannot be told from zero bytes: a group that stays whole is split by one
      // byte, where the end of a key counts as smaller than any byte.
      if (i - start === n) this.splitByByte(group, pending);
      else if (i - start > 1) pending.push({ from: from + start, to: from + i, depth });
      start = i;
    }
  }

  /** Makes the numbers to sort; returns how many bytes all keys of the group share. */
  #readWords(group: Group, positionBits: number): number {
    const { from, to } = group;
    const keys = this.#keys;
    const ids = this.#ids;
    const words = this.#words;
    const first = keys.copy(ids[from]!);
    // A sample tells the common prefix; a key that shares less starts the pass again.
    const step = Math.max(1, Math.floor((to - from) / sampleCount));
    let depth = first.length;
    for (let i = from; i < to; i += step) {
      keys.compareFrom(ids[i]!, first, group.depth);
      depth = Math.min(depth, keys.common);
    }
    for (let i = 0; i < to - from; i++) {
      const id = ids[from + i]!;
      keys.compareFrom(id, first, group.depth);
      if (keys.common < depth) {
        depth = keys.common;
        i = -1;
        continue;
      }
      this.#copy[i] = id;
      words[2 * i + 1] = keys.headAt(id, depth);
      let rest = Math.max(0, keys.byteAt(id, depth + 4));
      if (positionBits === 16) rest = (rest << 8) | Math.max(0, keys.byteAt(id, depth + 5));
      words[2 * i] = ((rest << positionBits) | i) >>> 0;
    }
    return depth;
  }

  insertionSort(group: Group): void {
    const keys = this.#keys;
    const ids = this.#ids;
    for (let i = group.from + 1; i < group.to; i++) {
      const id = ids[i]!;
      const key = keys.view(id);
      let j = i - 1;
      while (j >= group.from && keys.compareFrom(ids[j]!, key, group.depth) > 0) {
        ids[j + 1] = ids[j]!;
        j--;
      }
      ids[j + 1] = id;
    }
  }

  /** One counting pass by the first differing byte, for groups too large for 24-bit positions. */
  splitByByte(group: Group, pending: Group[]): void {
    const ids = this.#ids;
    const depth = this.#commonPrefix(group);
    const starts = new Uint32Array(258);
    for (let i = group.from; i < group.to; i++) {
      starts[this.#keys.byteAt(ids[i]!, depth) + 2]!++;
    }
    for (let i = 1; i < 258; i++) starts[i]! += starts[i - 1]!;
    const copy = ids.slice(group.from, group.to);
    const next = starts.slice();
    for (const id of copy) {
      const at = next[this.#keys.byteAt(id, depth) + 1]!++;
      ids[group.from + at] = id;
    }
    for (let i = 0; i < 257; i++) {
      const from = group.from + starts[i]!;
      const to = group.from + starts[i + 1]!;
      if (to - from > 1) pending.push({ from, to, depth });
    }
  }

  /** Bytes all keys of the group share, at least the group's depth. */
  #commonPrefix(group: Group): number {
    const keys = this.#keys;
    const first = keys.copy(this.#ids[group.from]!);
    let common = first.length;
    for (let i = group.from + 1; i < group.to && common > group.depth; i++) {
      keys.compareFrom(this.#ids[i]!, first, group.depth);
      if (keys.common < common) common = keys.common;
    }
    return common;
  }

  #reserve(n: number): void {
    if (this.#copy.length >= n) return;
    this.#words = new Uint32Array(2 * n);
    this.#copy = new Uint32Array(n);
  }
}
