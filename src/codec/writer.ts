/**
 * Writes protobuf into one growing buffer that is used again and again. Tags are given as
 * field * 8 + wire type. Zero values are the caller's to leave out.
 */
export class Writer {
  bytes: Uint8Array;
  length = 0;

  constructor(initialBytes = 1024) {
    this.bytes = new Uint8Array(initialBytes);
  }

  reset(): void {
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(keptBytesMax);
    this.length = 0;
  }

  /** What was written; valid until the next write or reset. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `count` more bytes. */
  ensure(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.ensure(1);
    this.bytes[this.length++] = value;
  }

  /** 0 <= value <= 2^53. */
  varint(value: number): void {
    this.ensure(10);
    const { bytes } = this;
    let at = this.length;
    let rest = value;
    while (rest > 0x7fff_ffff) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** An int64 held as a number: negative ones take ten bytes; rounded ones are kept in range. */
  int64(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) this.varint(value);
    else this.bigVarint(clampInt64(value));
  }

  /** Any int64 or uint64. */
  bigVarint(value: bigint): void {
    halves.setBigInt64(0, value, true); // modulo 2^64
    this.varintOfHalves(halves.getUint32(0, true), halves.getUint32(4, true));
  }

  /** A uint64 given as unsigned 32-bit halves. */
  varintOfHalves(lowHalf: number, highHalf: number): void {
    this.ensure(10);
    const { bytes } = this;
    let low = lowHalf;
    let high = highHalf;
    let at = this.length;
    while (high !== 0 || low > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at++] = low;
    this.length = at;
  }

  /** What another writer holds. */
  append(other: Writer): void {
    const count = other.length;
    this.ensure(count);
    const { bytes } = this;
    if (count <= shortBytesMax) {
      let at = this.length;
      for (let i = 0; i < count; i++) bytes[at++] = other.bytes[i]!;
    } else {
      bytes.set(other.view(), this.length);
    }
    this.length += count;
  }

  /** Bytes as they are, without tag or length. */
  raw(src: Uint8Array): void {
    this.ensure(src.length);
    this.bytes.set(src, this.length);
    this.length += src.length;
  }

  /** A length-delimited field, empty ones too. */
  bytesField(tag: number, src: Uint8Array): void {
    this.varint(tag);
    this.varint(src.length);
    this.raw(src);
  }

  /** Starts a nested message whose length is not known yet; give the mark to {@link endNested}. */
  beginNested(tag: number): number {
    this.varint(tag);
    this.byte(0);
    return this.length;
  }

  endNested(mark: number): void {
    const size = this.length - mark;
    if (size < 0x80) {
      this.bytes[mark - 1] = size;
      return;
    }
    const extra = varintSize(size) - 1;
    this.ensure(extra);
    this.bytes.copyWithin(mark + extra, mark, this.length);
    const end = this.length + extra;
    this.length = mark - 1;
    this.varint(size);
    this.length = end;
  }
}

/** A buffer that grew beyond this is let go at the next reset. */
const keptBytesMax = 1024 * 1024;

/** Encoded size of a varint, 0 <= value <= 2^53. */
export function varintSize(value: number): number {
  let size = 1;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    rest = Math.floor(rest / 128);
    size++;
  }
  while (rest > 0x7f) {
    rest >>>= 7;
    size++;
  }
  return size;
}

/** Scratch space that turns one bigint into two halves. */
const halves = new DataView(new ArrayBuffer(8));

/** Up to here a loop is cheaper than a view and a call. */
const shortBytesMax = 64;

const int64Max = 0x7fff_ffff_ffff_ffffn;

function clampInt64(value: number): bigint {
  const exact = BigInt(value);
  if (exact > int64Max) return int64Max;
  return exact < -int64Max - 1n ? -int64Max - 1n : exact;
}
