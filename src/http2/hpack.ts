/**
 * HPACK (RFC 7541): header blocks to fields and back.
 *
 * HP1  The dynamic table is the encoder's, entry for entry: whatever a block says is done, even
 *      when the request it belongs to is refused.
 * HP2  A block that breaks a rule leaves the table unusable: the connection must end.
 * HP3  What we send is never larger than the table size the peer allows.
 */
import type { OutputBuffer } from "./frame.ts";
import { HeaderField } from "./header-field.ts";
import { binaryText, decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

/** The table size both sides start with, and the one we keep. */
const tableBytesDefault = 4096;
const entryBytesMin = 32;
const ringSize = tableBytesDefault / entryBytesMin;

const staticFields: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];
const staticTable = [
  new HeaderField("", ""), // indexes start at 1
  ...staticFields.map(([name, value]) => new HeaderField(name, value)),
];
const staticCount = staticFields.length;

/** Where a decoder puts fields. Above a bound it only counts (HP1). */
export class HeaderList {
  readonly fields: HeaderField[] = [];
  count = 0;
  bytes = 0;
  overflow = false;
  readonly bytesMax: number;
  readonly countMax: number;

  constructor(bytesMax: number, countMax: number) {
    this.bytesMax = bytesMax;
    this.countMax = countMax;
  }

  clear(): void {
    this.fields.length = 0;
    this.count = 0;
    this.bytes = 0;
    this.overflow = false;
  }

  add(field: HeaderField): void {
    this.count++;
    this.bytes += field.size;
    if (this.bytes > this.bytesMax || this.count > this.countMax) {
      this.overflow = true;
    } else {
      this.fields.push(field);
    }
  }
}

export class HpackDecoder {
  /** Counts changes of the dynamic table: equal before and after means a block changed nothing. */
  generation = 0;
  private readonly ring: (HeaderField | undefined)[] = new Array<HeaderField | undefined>(ringSize);
  /** Ring slot of the newest entry. */
  private newest = 0;
  private count = 0;
  private bytes = 0;
  private bytesMax = tableBytesDefault;

  // Where reading stands in the block.
  private at = 0;
  private failed = false;

  /** Decodes one whole block into `list`. False: a decoding error (HP2). */
  decode(block: Uint8Array, start: number, end: number, list: HeaderList): boolean {
    this.at = start;
    this.failed = false;
    let sizeUpdateAllowed = true;
    while (this.at < end) {
      const byte = block[this.at]!;
      if (byte >= 0x80) {
        const field = this.indexed(block, end);
        if (field === undefined) return false;
        list.add(field);
      } else if (byte >= 0x40) {
        const field = this.literal(block, end, 6);
        if (field === undefined) return false;
        this.insert(field);
        list.add(field);
      } else if (byte >= 0x20) {
        const size = this.integer(block, end, 5);
        if (!sizeUpdateAllowed || this.failed || size > tableBytesDefault) return false;
        this.resize(size);
        continue;
      } else {
        const field = this.literal(block, end, 4);
        if (field === undefined) return false;
        list.add(field);
      }
      sizeUpdateAllowed = false;
    }
    return true;
  }

  private indexed(block: Uint8Array, end: number): HeaderField | undefined {
    const index = this.integer(block, end, 7);
    return this.failed ? undefined : this.entry(index);
  }

  private entry(index: number): HeaderField | undefined {
    if (index <= staticCount) return index === 0 ? undefined : staticTable[index];
    const age = index - staticCount - 1;
    if (age >= this.count) return undefined;
    return this.ring[(this.newest - age + ringSize) % ringSize];
  }

  private literal(block: Uint8Array, end: number, prefixBits: number): HeaderField | undefined {
    const index = this.integer(block, end, prefixBits);
    if (this.failed) return undefined;
    const name = index === 0 ? this.text(block, end) : this.entry(index)?.name;
    if (name === undefined) return undefined;
    const value = this.text(block, end);
    return value === undefined ? undefined : new HeaderField(name, value);
  }

  private text(block: Uint8Array, end: number): string | undefined {
    if (this.at >= end) return undefined;
    const isHuffman = block[this.at]! >= 0x80;
    const length = this.integer(block, end, 7);
    const start = this.at;
    if (this.failed || length > end - start) return undefined;
    this.at = start + length;
    if (!isHuffman) return binaryText(block, start, this.at);
    return decodeHuffman(block, start, this.at) ?? undefined;
  }

  /** RFC 7541 section 5.1, up to 2^28: no length or index of ours is longer. */
  private integer(block: Uint8Array, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = block[this.at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= end) break;
      const byte = block[this.at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }

  private insert(field: HeaderField): void {
    this.generation++;
    this.evict(this.bytesMax - field.size);
    // An entry larger than the table empties it and is not kept (RFC 7541 section 4.4).
    if (field.size > this.bytesMax) return;
    this.newest = (this.newest + 1) % ringSize;
    this.ring[this.newest] = field;
    this.count++;
    this.bytes += field.size;
  }

  private resize(bytesMax: number): void {
    this.generation++;
    this.bytesMax = bytesMax;
    this.evict(bytesMax);
  }

  private evict(bytesMax: number): void {
    while (this.count > 0 && this.bytes > bytesMax) {
      const oldest = (this.newest - this.count + 1 + ringSize) % ringSize;
      this.bytes -= this.ring[oldest]!.size;
      this.ring[oldest] = undefined;
      this.count--;
    }
  }
}

/** Writes an integer of RFC 7541 section 5.1 with the pattern bits above the prefix. */
function writeInteger(out: OutputBuffer, value: number, prefixBits: number, pattern: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.byte(pattern | value);
    return;
  }
  out.byte(pattern | mask);
  let rest = value - mask;
  while (rest >= 0x80) {
    out.byte(0x80 | (rest & 0x7f));
    rest >>>= 7;
  }
  out.byte(rest);
}

function writeText(out: OutputBuffer, text: string): void {
  const coded = huffmanLength(text);
  if (coded < text.length) {
    writeInteger(out, coded, 7, 0x80);
    out.reserve(coded);
    out.length = encodeHuffman(text, out.bytes, out.length);
    return;
  }
  writeInteger(out, text.length, 7, 0);
  for (let i = 0; i < text.length; i++) out.byte(text.charCodeAt(i));
}

const staticNames = new Map<string, number>();
const staticPairs = new Map<string, number>();
for (let i = staticCount; i >= 1; i--) {
  staticNames.set(staticTable[i]!.name, i);
  staticPairs.set(`${staticTable[i]!.name}\0${staticTable[i]!.value}`, i);
}

/**
 * The encoder keeps few, constant fields in the peer's table: those given to `writeIndexed`. They
 * are never evicted while they fit, so their index only moves when a further one is inserted.
 */
export class HpackEncoder {
  /** Counts changes of the table: indexes given before one are void after it. */
  generation = 0;
  /** Names and values inserted, oldest first. */
  private readonly inserted: HeaderField[] = [];
  private bytes = 0;
  private bytesMax = tableBytesDefault;
  /** Smallest and last size to announce at the start of the next block; -1 = none. */
  private announceLeast = -1;
  private announceLast = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableBytes(size: number): void {
    const wanted = size < tableBytesDefault ? size : tableBytesDefault;
    if (wanted === this.bytesMax) return;
    if (this.announceLeast < 0 || wanted < this.announceLeast) this.announceLeast = wanted;
    this.announceLast = wanted;
    this.bytesMax = wanted;
    while (this.bytes > wanted) {
      this.bytes -= this.inserted.shift()!.size;
      this.generation++;
    }
  }

  /** True while no table size waits to be announced: cached blocks may be used. */
  get settled(): boolean {
    return this.announceLast < 0;
  }

  /** Starts a block. */
  begin(out: OutputBuffer): void {
    if (this.announceLast < 0) return;
    if (this.announceLeast < this.announceLast) writeInteger(out, this.announceLeast, 5, 0x20);
    writeInteger(out, this.announceLast, 5, 0x20);
    this.announceLeast = -1;
    this.announceLast = -1;
  }

  /** The one-byte form of a field in the static table or inserted; 0 when it is in neither. */
  indexOf(field: HeaderField): number {
    const pair = staticPairs.get(`${field.name}\0${field.value}`);
    if (pair !== undefined) return 0x80 | pair;
    const at = this.inserted.indexOf(field);
    return at < 0 ? 0 : 0x80 | (staticCount + this.inserted.length - at);
  }

  /** A constant field: inserted the first time, one byte from then on. */
  writeIndexed(out: OutputBuffer, field: HeaderField): void {
    const index = this.indexOf(field);
    if (index !== 0) {
      out.byte(index);
    } else if (this.bytes + field.size > this.bytesMax) {
      this.write(out, field.name, field.value);
    } else {
      this.literal(out, field.name, field.value, 6, 0x40);
      this.inserted.push(field);
      this.bytes += field.size;
      this.generation++;
    }
  }

  /** Any other field: not inserted. Name and value are binary strings. */
  write(out: OutputBuffer, name: string, value: string): void {
    const index = staticPairs.get(`${name}\0${value}`);
    if (index !== undefined) out.byte(0x80 | index);
    else this.literal(out, name, value, 4, 0);
  }

  private literal(
    out: OutputBuffer,
    name: string,
    value: string,
    prefixBits: number,
    pattern: number,
  ): void {
    const index = staticNames.get(name) ?? 0;
    writeInteger(out, index, prefixBits, pattern);
    if (index === 0) writeText(out, name);
    writeText(out, value);
  }
}
