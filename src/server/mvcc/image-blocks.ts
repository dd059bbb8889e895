import type { Checksum } from "../../base/ports.ts";
import { compare } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";

/**
 * The file under the index image: blocks of a kind, each with its checksum, in a fixed order.
 * Arrays are stored as they are in memory, little-endian.
 *
 * IB1  Every byte of the file is under a checksum, and the last block holds the number of blocks.
 * IB2  A block is read into a buffer of its own, and arrays are made on it without copying.
 */

/** Blocking, only while nothing is served. All throw what the system says. */
export interface ImageFile {
  /** null if there is none. */
  open(): ImageSource | null;
  /** An empty file in place of what is there, mode 0600. */
  create(): ImageSink;
  /** Gone durably when it returns, if there was one or not. */
  remove(): void;
}

export interface ImageSource {
  /** Bytes of the file. */
  readonly size: number;
  /** Fills `target` with the next bytes; false if the file ends before. */
  read(target: Uint8Array): boolean;
  close(): void;
}

export interface ImageSink {
  /** All of the parts, one after the other. */
  write(parts: readonly Uint8Array[]): void;
  close(): void;
}

/** The position is the number in the file. */
const kinds = [
  "end",
  "tag",
  "head",
  "keyNumbers",
  "keyFreePlaces",
  "keySegment",
  "keySlab",
  "keyShards",
  "recordNumbers",
  "recordSegment",
  "shortcutRecords",
  "shortcutMains",
  "leaves",
  "leaseKeys",
  "leaseIds",
] as const;
type Kind = (typeof kinds)[number];

/** Kind, payload bytes, checksum over both and the payload. */
const headerBytes = 12;

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

export class ImageWriter {
  readonly #sink: ImageSink;
  readonly #checksum: Checksum;
  #blocks = 0;

  constructor(sink: ImageSink, checksum: Checksum) {
    this.#sink = sink;
    this.#checksum = checksum;
  }

  add(kind: Kind, arrays: readonly ArrayBufferView[]): void {
    const parts = arrays.map(bytesOf);
    let length = 0;
    for (const part of parts) length += part.length;
    assert(length <= 0xffff_ffff, "block of the index image is too long");
    const header = new Uint32Array([kinds.indexOf(kind), length, 0]);
    let crc = this.#checksum.crc32(bytesOf(header.subarray(0, 2)), 0);
    for (const part of parts) crc = this.#checksum.crc32(part, crc);
    header[2] = crc;
    this.#sink.write([bytesOf(header), ...parts]);
    this.#blocks++;
  }

  end(): void {
    this.add("end", [new Uint32Array([this.#blocks])]); // IB1
  }
}

export class ImageReader {
  readonly #source: ImageSource;
  readonly #checksum: Checksum;
  readonly #blocks = new Map<Kind, ArrayBuffer[]>();
  #left: number;

  constructor(source: ImageSource, checksum: Checksum) {
    this.#source = source;
    this.#checksum = checksum;
    this.#left = source.size;
  }

  /** Reads and checks everything; what is wrong, or null. The first block must be `tag`. */
  readAll(tag: Uint8Array): string | null {
    for (let count = 0; ; count++) {
      const kind = this.#readBlock();
      if (kind === null) return "damaged";
      const isTag = kind === "tag";
      if (isTag !== (count === 0)) return "damaged";
      if (isTag && compare(new Uint8Array(this.one("tag")), tag) !== 0) return "of another state";
      if (kind !== "end") continue;
      const end = this.one("end");
      const isWhole = end.byteLength === 4 && new Uint32Array(end)[0] === count;
      return isWhole && this.#left === 0 ? null : "damaged";
    }
  }

  #readBlock(): Kind | null {
    const header = new Uint32Array(headerBytes / 4);
    if (!this.#read(bytesOf(header))) return null;
    const kind = kinds[header[0]!];
    const length = header[1]!;
    if (kind === undefined || length > this.#left) return null;
    const payload = new Uint8Array(length);
    if (!this.#read(payload)) return null;
    const crc = this.#checksum.crc32(bytesOf(header.subarray(0, 2)), 0);
    if (this.#checksum.crc32(payload, crc) !== header[2]) return null;
    const list = this.#blocks.get(kind);
    if (list === undefined) this.#blocks.set(kind, [payload.buffer]);
    else list.push(payload.buffer);
    return kind;
  }

  #read(target: Uint8Array): boolean {
    this.#left -= target.length;
    return this.#left >= 0 && this.#source.read(target);
  }

  /** All blocks of the kind, in the order written. */
  all(kind: Kind): readonly ArrayBuffer[] {
    return this.#blocks.get(kind) ?? [];
  }

  /** The only block of the kind. */
  one(kind: Kind): ArrayBuffer {
    const list = this.all(kind);
    assert(list.length === 1, () => `${list.length} blocks ${kind} in the index image, wanted 1`);
    return list[0]!;
  }
}
