import { assert } from "../../base/assert.ts";

/**
 * Revision keys of the "key" bucket: 8 bytes main (big endian), '_', 8 bytes sub; a tombstone's key
 * ends in 't'. Byte order is revision order.
 */

const revisionBytes = 17;
const tombstoneRevisionBytes = 18;

const separator = 0x5f;
const tombstoneMark = 0x74;
const two32 = 0x1_0000_0000;

function writeU64(out: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / two32);
  const low = value >>> 0;
  out[at] = high >>> 24;
  out[at + 1] = high >>> 16;
  out[at + 2] = high >>> 8;
  out[at + 3] = high;
  out[at + 4] = low >>> 24;
  out[at + 5] = low >>> 16;
  out[at + 6] = low >>> 8;
  out[at + 7] = low;
}

function readU64(bytes: Uint8Array, at: number): number {
  const high =
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  const low =
    ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>>
    0;
  return high * two32 + low;
}

export function encodeRevision(main: number, sub: number, isTombstone: boolean): Uint8Array {
  const out = new Uint8Array(isTombstone ? tombstoneRevisionBytes : revisionBytes);
  writeU64(out, 0, main);
  out[8] = separator;
  writeU64(out, 9, sub);
  if (isTombstone) out[17] = tombstoneMark;
  return out;
}

/** The key before every row of revision `main`. */
export function revisionStart(main: number): Uint8Array {
  return encodeRevision(main, 0, false);
}

export function revisionMain(key: Uint8Array): number {
  assert(
    (key.length === revisionBytes || key.length === tombstoneRevisionBytes) && key[8] === separator,
    () => `revision key of ${String(key.length)} bytes is malformed`,
  );
  return readU64(key, 0);
}

export function revisionSub(key: Uint8Array): number {
  return readU64(key, 9);
}

export function isTombstoneKey(key: Uint8Array): boolean {
  return key.length === tombstoneRevisionBytes && key[17] === tombstoneMark;
}
