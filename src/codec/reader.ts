/** Malformed protobuf bytes: an expected failure, answered to whoever sent them. */
export class DecodeError extends Error {
  override readonly name: string = "DecodeError";
}

/** What Go's decoder says of any malformed message. */
export const malformedText = "proto: cannot parse invalid wire-format data";

const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireStartGroup = 3;
const wireEndGroup = 4;
const wireFixed32 = 5;

/**
 * Nesting of groups and messages that is still read; Go's limit is 10,000, our stack wants less.
 */
export const nestingMax = 1000;

const two32 = 0x1_0000_0000;

/**
 * Reads one message field by field. {@link next} reads a tag; then exactly one of the value methods
 * or {@link skip} must follow. Keeps book of whether the encoding was the canonical one.
 */
export class Reader {
  buf: Uint8Array;
  end: number;
  pos = 0;
  /** Tag just read: field number * 8 + wire type. */
  tag = 0;
  /** False once something was read that a canonical encoder does not write. */
  canonical = true;
  /** Bit per field number below 32: fields that may appear again. */
  #repeated: number;
  #lastField = 0;
  #child: Reader | null = null;
  // The varint just read, as unsigned 32-bit halves.
  #low = 0;
  #high = 0;

  constructor(buf: Uint8Array, repeated = 0) {
    this.buf = buf;
    this.end = buf.length;
    this.#repeated = repeated;
  }

  /** Starts anew on another message. */
  open(buf: Uint8Array, repeated = 0): this {
    return this.#place(buf, 0, buf.length, repeated);
  }

  /**
   * Reads the nested message whose tag was just read. The reader returned is this one's only child:
   * it is good until the next call. Saves a view and a reader for each nested message.
   */
  nested(repeated = 0): Reader {
    const length = this.#readLength();
    const start = this.pos;
    this.pos += length;
    const child = (this.#child ??= new Reader(this.buf));
    return child.#place(this.buf, start, this.pos, repeated);
  }

  #place(buf: Uint8Array, start: number, end: number, repeated: number): this {
    this.buf = buf;
    this.pos = start;
    this.end = end;
    this.canonical = true;
    this.#repeated = repeated;
    this.#lastField = 0;
    return this;
  }

  get isAtEnd(): boolean {
    return this.pos >= this.end;
  }

  /** True if another field follows; false at the end of the message. */
  next(): boolean {
    if (this.pos >= this.end) return false;
    this.#readVarint();
    const tag = this.#low;
    if (this.#high !== 0 || tag < 8) throw malformed();
    const field = tag >>> 3;
    if (field <= this.#lastField && !this.#mayRepeat(field)) this.canonical = false;
    this.#lastField = field;
    this.tag = tag;
    return true;
  }

  /** int64 as a number, exact below 2^53 in size, else rounded. Zero is not canonical (proto3). */
  int64(): number {
    this.#readVarint();
    this.#noteZero();
    return this.#signedNumber();
  }

  /** int64 with presence (a oneof member): zero is canonical. */
  presentInt64(): number {
    this.#readVarint();
    return this.#signedNumber();
  }

  /** uint64 as a number, exact below 2^53. */
  uint64(): number {
    this.#readVarint();
    this.#noteZero();
    return this.#high * two32 + this.#low;
  }

  /** int64 as an id. */
  bigInt64(): bigint {
    this.#readVarint();
    this.#noteZero();
    return this.#signedBig();
  }

  presentBigInt64(): bigint {
    this.#readVarint();
    return this.#signedBig();
  }

  /** uint64 as an id. */
  bigUint64(): bigint {
    this.#readVarint();
    this.#noteZero();
    return BigInt.asUintN(64, this.#signedBig());
  }

  /** Reads a uint64 for {@link high16} and {@link low48}: a request id. */
  readSplit64(): void {
    this.#readVarint();
    this.#noteZero();
  }

  get high16(): number {
    return this.#high >>> 16;
  }

  get low48(): number {
    return (this.#high & 0xffff) * two32 + this.#low;
  }

  /** Enum or int32: the low 32 bits count, as in Go. */
  int32(): number {
    this.#readVarint();
    this.#noteZero();
    const value = this.#low | 0;
    if (this.#high !== (value < 0 ? 0xffff_ffff : 0)) this.canonical = false;
    return value;
  }

  bool(): boolean {
    this.#readVarint();
    this.#noteZero();
    if (this.#high !== 0 || this.#low > 1) this.canonical = false;
    return (this.#low | this.#high) !== 0;
  }

  /** A view of the field's bytes. Empty is not canonical (proto3). */
  bytes(): Uint8Array {
    const value = this.presentBytes();
    if (value.length === 0) this.canonical = false;
    return value;
  }

  /** A view of the bytes of a member with presence (message or oneof). */
  presentBytes(): Uint8Array {
    const length = this.#readLength();
    const start = this.pos;
    this.pos += length;
    const { buf } = this;
    return new Uint8Array(buf.buffer, buf.byteOffset + start, length); // cheaper than subarray
  }

  /** Offset in {@link buf} of a field's bytes, which end at {@link pos}: saves the view. */
  span(): number {
    const length = this.#readLength();
    const start = this.pos;
    this.pos += length;
    return start;
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return utf8.decode(bytes);
    } catch {
      throw new DecodeError("string field contains invalid UTF-8");
    }
  }

  /**
   * Passes over the field whose tag was just read: unknown, or of a wire type that is not its own.
   */
  skip(): void {
    this.canonical = false;
    this.#skipValue(this.tag & 7, this.tag >>> 3, 0);
  }

  #skipValue(wire: number, field: number, depth: number): void {
    switch (wire) {
      case wireVarint:
        this.#readVarint();
        return;
      case wireFixed64:
        this.#advance(8);
        return;
      case wireBytes:
        this.presentBytes();
        return;
      case wireStartGroup:
        this.#skipGroup(field, depth);
        return;
      case wireFixed32:
        this.#advance(4);
        return;
      default:
        throw malformed();
    }
  }

  #skipGroup(field: number, depth: number): void {
    if (depth >= nestingMax) throw malformed();
    for (;;) {
      if (this.pos >= this.end) throw malformed();
      this.#readVarint();
      const tag = this.#low;
      if (this.#high !== 0 || tag < 8) throw malformed();
      if ((tag & 7) === wireEndGroup) {
        if (tag >>> 3 !== field) throw malformed();
        return;
      }
      this.#skipValue(tag & 7, tag >>> 3, depth + 1);
    }
  }

  #readLength(): number {
    this.#readVarint();
    if (this.#high !== 0 || this.#low > this.end - this.pos) throw malformed();
    return this.#low;
  }

  #mayRepeat(field: number): boolean {
    return field === this.#lastField && field < 32 && ((this.#repeated >>> field) & 1) === 1;
  }

  #advance(bytes: number): void {
    if (bytes > this.end - this.pos) throw malformed();
    this.pos += bytes;
  }

  #noteZero(): void {
    if ((this.#low | this.#high) === 0) this.canonical = false;
  }

  #signedNumber(): number {
    return this.#high === 0 ? this.#low : (this.#high | 0) * two32 + this.#low;
  }

  #signedBig(): bigint {
    if (this.#high === 0) return BigInt(this.#low);
    halves.setUint32(0, this.#low, true);
    halves.setUint32(4, this.#high, true);
    return halves.getBigInt64(0, true);
  }

  #readVarint(): void {
    const at = this.pos;
    if (at >= this.end) throw malformed();
    const byte = this.buf[at]!;
    if (byte > 0x7f) {
      this.#readLongVarint();
      return;
    }
    this.pos = at + 1;
    this.#low = byte;
    this.#high = 0;
  }

  #readLongVarint(): void {
    const { buf, end } = this;
    let at = this.pos;
    let low = buf[at++]! & 0x7f;
    let high = 0;
    let byte = 0;
    let shift = 7;
    do {
      if (at >= end || shift > 63) throw malformed();
      byte = buf[at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        if (shift === 63 && byte > 1) throw malformed();
        high |= bits << (shift - 32);
      }
      shift += 7;
    } while (byte > 0x7f);
    if (byte === 0) this.canonical = false; // a trailing zero group: longer than needed
    this.pos = at;
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }
}

/** For decoders that call no other decoder while they read: one reader serves them all. */
export const sharedReader = new Reader(new Uint8Array(0));

/** Scratch space that turns two halves into one bigint. */
const halves = new DataView(new ArrayBuffer(8));
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function malformed(): DecodeError {
  return new DecodeError(malformedText);
}
