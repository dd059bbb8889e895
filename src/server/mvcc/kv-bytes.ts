import { assert } from "../../base/assert.ts";

/**
 * Canonical mvccpb.KeyValue bytes, written into and read from shared buffers without objects.
 * Fields key=1, create_revision=2, mod_revision=3, version=4, value=5, lease=6; zero and empty
 * ones are left out. A *frame* is a KeyValue behind tag 0x12 and its length: the form of
 * RangeResponse.kvs and of Event.kv, so stored frames are forwarded as they are.
 */

export const frameTag = 0x12;
const two28 = 1 << 28;

export function varintSize(value: number): number {
  let size = 1;
  while (value >= 128) {
    value = value >= two28 ? Math.floor(value / 128) : value >>> 7;
    size++;
  }
  return size;
}

export function writeVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= two28) {
    out[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  while (value >= 128) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

/** 64-bit varint of an id given as unsigned halves. */
function writeVarint64(out: Uint8Array, at: number, high: number, low: number): number {
  while (high !== 0) {
    out[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  return writeVarint(out, at, low);
}

function leaseSize(lease: bigint): number {
  if (lease === 0n) return 0;
  const bits = BigInt.asUintN(64, lease);
  let size = 2;
  for (let rest = bits >> 7n; rest !== 0n; rest >>= 7n) size++;
  return size;
}

/** Short keys are quicker in a loop than through `set`. */
export function copyBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  const n = bytes.length;
  if (n <= 48) for (let i = 0; i < n; i++) out[at + i] = bytes[i]!;
  else out.set(bytes, at);
  return at + n;
}

function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

export interface KvParts {
  key: Uint8Array;
  create: number;
  mod: number;
  version: number;
  value: Uint8Array;
  lease: bigint;
}

export function kvSize(
  key: Uint8Array,
  create: number,
  mod: number,
  version: number,
  value: Uint8Array | null,
  lease: bigint,
): number {
  const n = value === null ? 0 : value.length;
  return (
    (key.length === 0 ? 0 : 1 + varintSize(key.length) + key.length) +
    numberSize(create) +
    numberSize(mod) +
    numberSize(version) +
    (n === 0 ? 0 : 1 + varintSize(n) + n) +
    (lease === 0n ? 0 : leaseSize(lease))
  );
}

/** Writes the KeyValue at `at`; returns the offset after it. */
export function writeKv(
  out: Uint8Array,
  at: number,
  key: Uint8Array,
  create: number,
  mod: number,
  version: number,
  value: Uint8Array | null,
  lease: bigint,
): number {
  if (key.length !== 0) {
    out[at] = 0x0a;
    at = copyBytes(out, writeVarint(out, at + 1, key.length), key);
  }
  if (create !== 0) {
    out[at] = 0x10;
    at = writeVarint(out, at + 1, create);
  }
  if (mod !== 0) {
    out[at] = 0x18;
    at = writeVarint(out, at + 1, mod);
  }
  if (version !== 0) {
    out[at] = 0x20;
    at = writeVarint(out, at + 1, version);
  }
  if (value !== null && value.length !== 0) {
    out[at] = 0x2a;
    at = copyBytes(out, writeVarint(out, at + 1, value.length), value);
  }
  if (lease !== 0n) {
    const bits = BigInt.asUintN(64, lease);
    out[at] = 0x30;
    at = writeVarint64(out, at + 1, Number(bits >> 32n), Number(bits & 0xffff_ffffn));
  }
  return at;
}

/** Encodes a KeyValue into an array of its own. */
export function encodeKv(kv: KvParts): Uint8Array {
  const out = new Uint8Array(kvSize(kv.key, kv.create, kv.mod, kv.version, kv.value, kv.lease));
  writeKv(out, 0, kv.key, kv.create, kv.mod, kv.version, kv.value, kv.lease);
  return out;
}

/** Size of a frame whose KeyValue has `kvLength` bytes. */
export function frameSize(kvLength: number): number {
  return 1 + varintSize(kvLength) + kvLength;
}

/**
 * Reads our own canonical bytes field by field into its properties; reused, so a scan makes no
 * object. Offsets are absolute in `bytes`.
 */
export class KvScanner {
  keyStart = 0;
  keyEnd = 0;
  create = 0;
  mod = 0;
  version = 0;
  valueStart = 0;
  valueEnd = 0;
  leaseHigh = 0;
  leaseLow = 0;
  #at = 0;

  scan(bytes: Uint8Array, from: number, to: number): void {
    this.keyStart = this.keyEnd = this.valueStart = this.valueEnd = from;
    this.create = this.mod = this.version = this.leaseHigh = this.leaseLow = 0;
    this.#at = from;
    while (this.#at < to) {
      const tag = bytes[this.#at++]!;
      if (tag === 0x0a || tag === 0x2a) {
        const length = this.#varint(bytes);
        const start = this.#at;
        this.#at = start + length;
        if (tag === 0x0a) {
          this.keyStart = start;
          this.keyEnd = this.#at;
        } else {
          this.valueStart = start;
          this.valueEnd = this.#at;
        }
      } else if (tag === 0x10) this.create = this.#varint(bytes);
      else if (tag === 0x18) this.mod = this.#varint(bytes);
      else if (tag === 0x20) this.version = this.#varint(bytes);
      else {
        assert(tag === 0x30, () => `stored KeyValue has field tag ${String(tag)}`);
        this.#lease(bytes);
      }
    }
    assert(this.#at === to, "stored KeyValue is cut short");
  }

  get hasLease(): boolean {
    return (this.leaseHigh | this.leaseLow) !== 0;
  }

  /** The lease id, signed as on the wire. */
  get lease(): bigint {
    if (!this.hasLease) return 0n;
    return BigInt.asIntN(64, (BigInt(this.leaseHigh) << 32n) | BigInt(this.leaseLow));
  }

  #varint(bytes: Uint8Array): number {
    let byte = bytes[this.#at++]!;
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 128) {
      byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    return value;
  }

  #lease(bytes: Uint8Array): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[this.#at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) break;
    }
    this.leaseLow = low >>> 0;
    this.leaseHigh = high >>> 0;
  }
}
