import type { KeyTable } from "./key-table.ts";

/**
 * Sorts many key ids by their keys' bytes, for filling the tree at once: radix-like, five bytes per
 * level behind the group's common prefix, each level one native sort of 64-bit numbers (40 bits of
 * key, 24 bits of position). A comparison function would cost several times as much.
 */

const groupMax = 1 << 24;
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
    const keys = this.#keys;
    const ids = this.#ids;
    const n = to - from;
    const depth = this.#commonPrefix(group);
    this.#reserve(n);
    const words = this.#words;
    const copy = this.#copy;
    for (let i = 0; i < n; i++) {
      const id = ids[from + i]!;
      copy[i] = id;
      words[2 * i + 1] = keys.headAt(id, depth);
      words[2 * i] = ((Math.max(0, keys.byteAt(id, depth + 4)) << 24) | i) >>> 0;
    }
    new BigUint64Array(words.buffer, 0, n).sort();
    for (let i = 0; i < n; i++) ids[from + i] = copy[words[2 * i]! & 0xff_ffff]!;
    let start = 0;
    for (let i = 1; i <= n; i++) {
      const same =
        i < n &&
        words[2 * i + 1] === words[2 * start + 1] &&
        words[2 * i]! >>> 24 === words[2 * start]! >>> 24;
      if (same) continue;
      // Zero padding cannot be told from zero bytes: a group that stays whole is split by one
      // byte, where the end of a key counts as smaller than any byte.
      if (i - start === n) this.splitByByte(group, pending);
      else if (i - start > 1) pending.push({ from: from + start, to: from + i, depth });
      start = i;
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

  #reserve(n: number): void {
    if (this.#copy.length >= n) return;
    this.#words = new Uint32Array(2 * n);
    this.#copy = new Uint32Array(n);
  }
}
