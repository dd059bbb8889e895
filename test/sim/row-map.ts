import { compare } from "../../src/base/bytes.ts";

/** An immutable ordered map from bytes to bytes: a treap whose shape depends on its keys alone. */
export type RowMap = RowNode | null;

interface RowNode {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly priority: number;
  readonly left: RowMap;
  readonly right: RowMap;
}

/** FNV-1a, mixed: near keys get unrelated priorities. */
function priorityOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export function getRow(map: RowMap, key: Uint8Array): Uint8Array | null {
  for (let node = map; node !== null;) {
    const order = compare(key, node.key);
    if (order === 0) return node.value;
    node = order < 0 ? node.left : node.right;
  }
  return null;
}

export function putRow(map: RowMap, key: Uint8Array, value: Uint8Array): RowMap {
  const [left, right] = split(deleteRow(map, key), key);
  const node = { key, value, priority: priorityOf(key), left: null, right: null };
  return join(join(left, node), right);
}

export function deleteRow(map: RowMap, key: Uint8Array): RowMap {
  if (map === null) return null;
  const order = compare(key, map.key);
  if (order === 0) return join(map.left, map.right);
  if (order < 0) {
    const left = deleteRow(map.left, key);
    return left === map.left ? map : { ...map, left };
  }
  const right = deleteRow(map.right, key);
  return right === map.right ? map : { ...map, right };
}

/** Rows with from <= key < to in order, until `visit` returns false; returns false if it did. */
export function visitRows(
  map: RowMap,
  from: Uint8Array,
  to: Uint8Array | null,
  visit: (key: Uint8Array, value: Uint8Array) => boolean,
): boolean {
  if (map === null) return true;
  const isFrom = compare(map.key, from) >= 0;
  const isTo = to === null || compare(map.key, to) < 0;
  if (isFrom && !visitRows(map.left, from, to, visit)) return false;
  if (isFrom && isTo && !visit(map.key, map.value)) return false;
  return !isTo || visitRows(map.right, from, to, visit);
}

/** Rows before `key`, and the others. */
function split(map: RowMap, key: Uint8Array): [RowMap, RowMap] {
  if (map === null) return [null, null];
  if (compare(map.key, key) < 0) {
    const [left, right] = split(map.right, key);
    return [{ ...map, right: left }, right];
  }
  const [left, right] = split(map.left, key);
  return [left, { ...map, left: right }];
}

/** Every key of `a` is before every key of `b`. */
function join(a: RowMap, b: RowMap): RowMap {
  if (a === null) return b;
  if (b === null) return a;
  return a.priority > b.priority
    ? { ...a, right: join(a.right, b) }
    : { ...b, left: join(a, b.left) };
}
