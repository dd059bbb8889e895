import { emptyBytes } from "../base/bytes.ts";
import {
  boltLimits,
  BoltError,
  elementBytes,
  flagBranch,
  flagLeaf,
  flagMeta,
  fnv1a64,
  magic,
  metaAt,
  metaPages,
  metaSummedBytes,
  pageHeadBytes,
  version,
} from "./format.ts";

/** Where a bbolt file comes from. */
export interface PageSource {
  readonly sizeBytes: number;
  /**
   * Exactly `length` bytes from `at`, within the file; they never change. May throw what the system
   * says.
   */
  read(at: number, length: number): Uint8Array;
}

export interface Meta {
  readonly pageBytes: number;
  readonly rootPage: number;
  /** First page that is not part of the file's content. */
  readonly highWater: number;
  readonly transaction: bigint;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A page number. What does not fit is damage, and becomes one that no file has. */
function pageNumber(fields: DataView, at: number): number {
  return Number(fields.getBigUint64(at, true));
}

/** The newest sound meta page. Throws {@link BoltError}. */
export function readMeta(source: PageSource): Meta {
  const first = metaFrom(source, 0, 0);
  // Where the second one stands depends on the page size, which a damaged first one cannot tell.
  const sizes: number[] = [];
  if (typeof first !== "string") sizes.push(first.pageBytes);
  else {
    const { pageBytesMin, pageBytesMax } = boltLimits;
    for (let size: number = pageBytesMin; size <= pageBytesMax; size *= 2) sizes.push(size);
  }
  let best = typeof first === "string" ? null : first;
  for (const size of sizes) {
    const second = metaFrom(source, size, 1);
    if (typeof second === "string" || second.pageBytes !== size) continue;
    if (best === null || second.transaction > best.transaction) best = second;
  }
  if (best === null) {
    const problem = typeof first === "string" ? first : "none";
    throw new BoltError(`no sound meta page: ${problem}`);
  }
  const pagesMax = Math.floor(source.sizeBytes / best.pageBytes);
  if (best.highWater > pagesMax) {
    throw new BoltError(`the file has ${pagesMax} pages, wanted ${best.highWater}: it was cut`);
  }
  return best;
}

/** The meta page at that place, or what is wrong with it. */
function metaFrom(source: PageSource, at: number, id: number): Meta | string {
  const length = metaAt.checksum + 8;
  if (source.sizeBytes < at + length) return "the file is too short";
  const bytes = source.read(at, length);
  const fields = viewOf(bytes);
  if (fields.getUint32(metaAt.magic, true) !== magic) return "it is not a bbolt file";
  const got = fields.getUint32(metaAt.version, true);
  if (got !== version) return `its version is ${got}, wanted ${version}`;
  const sum = fnv1a64(bytes.subarray(metaAt.magic, metaAt.magic + metaSummedBytes));
  if (fields.getBigUint64(metaAt.checksum, true) !== sum) return "wrong checksum";
  if ((fields.getUint16(8, true) & flagMeta) === 0) return "not marked as meta page";
  if (pageNumber(fields, 0) !== id) return "another page's number";
  const pageBytes = fields.getUint32(metaAt.pageSize, true);
  const { pageBytesMin, pageBytesMax } = boltLimits;
  const isPower = (pageBytes & (pageBytes - 1)) === 0;
  if (!isPower || pageBytes < pageBytesMin || pageBytes > pageBytesMax) {
    return `its page size is ${pageBytes}`;
  }
  return {
    pageBytes,
    rootPage: pageNumber(fields, metaAt.root),
    highWater: pageNumber(fields, metaAt.highWater),
    transaction: fields.getBigUint64(metaAt.transaction, true),
  };
}

/** One branch or leaf page: its elements checked, its data read when asked for. */
export interface Page {
  readonly id: number;
  readonly isLeaf: boolean;
  readonly count: number;
  key(i: number): Uint8Array;
  /** Leaf pages only. */
  value(i: number): Uint8Array;
  /** Flags of a leaf element. */
  flags(i: number): number;
  /** Page of a branch element's child. */
  child(i: number): number;
}

/** Pages up to this size are read at once, larger ones row by row. */
const wholeBytesMax = 1 << 18;

/** Reads a page of the file. Its arrays are the source's. Throws {@link BoltError}. */
export function readPage(source: PageSource, meta: Meta, id: number): Page {
  if (!(id >= metaPages && id < meta.highWater)) throw new BoltError(`page ${id} is out of bounds`);
  const start = id * meta.pageBytes;
  const head = viewOf(source.read(start, pageHeadBytes));
  const flags = head.getUint16(8, true);
  const count = head.getUint16(10, true);
  const overflow = head.getUint32(12, true);
  if (pageNumber(head, 0) !== id) throw new BoltError(`page ${id} has another page's number`);
  if (flags !== flagLeaf && flags !== flagBranch) {
    throw new BoltError(`page ${id} is neither branch nor leaf`);
  }
  if (id + overflow >= meta.highWater) throw new BoltError(`page ${id} ends behind the file`);
  const length = (overflow + 1) * meta.pageBytes;
  const isLeaf = flags === flagLeaf;
  const shape = { id, isLeaf, count, length };
  if (length <= wholeBytesMax) {
    const bytes = source.read(start, length);
    return new ElementPage(shape, bytes, (at, n) => bytes.subarray(at, at + n));
  }
  const headBytes = pageHeadBytes + count * elementBytes;
  if (headBytes > length) throw new BoltError(`page ${id} has more elements than room`);
  const bytes = source.read(start, headBytes);
  return new ElementPage(shape, bytes, (at, n) => source.read(start + at, n));
}

/** The leaf inside the value of a small bucket. */
export function inlinePage(bytes: Uint8Array): Page {
  if (bytes.length < pageHeadBytes) throw new BoltError("an inline bucket is too short");
  const head = viewOf(bytes);
  if (head.getUint16(8, true) !== flagLeaf) throw new BoltError("an inline bucket is no leaf");
  const shape = { id: 0, isLeaf: true, count: head.getUint16(10, true), length: bytes.length };
  return new ElementPage(shape, bytes, (at, n) => bytes.subarray(at, at + n));
}

interface Shape {
  readonly id: number;
  readonly isLeaf: boolean;
  readonly count: number;
  /** Bytes with overflow pages. */
  readonly length: number;
}

class ElementPage implements Page {
  readonly id: number;
  readonly isLeaf: boolean;
  readonly count: number;
  readonly #length: number;
  readonly #fields: DataView;
  readonly #data: (at: number, length: number) => Uint8Array;

  constructor(shape: Shape, bytes: Uint8Array, data: (at: number, length: number) => Uint8Array) {
    const { id, isLeaf, count, length } = shape;
    if (pageHeadBytes + count * elementBytes > length) {
      throw new BoltError(`page ${id} has more elements than room`);
    }
    this.id = id;
    this.isLeaf = isLeaf;
    this.count = count;
    this.#length = length;
    this.#fields = viewOf(bytes);
    this.#data = data;
  }

  key(i: number): Uint8Array {
    const at = pageHeadBytes + i * elementBytes;
    const posAt = this.isLeaf ? at + 4 : at;
    const pos = this.#fields.getUint32(posAt, true);
    const length = this.#fields.getUint32(posAt + 4, true);
    if (length > boltLimits.keyBytesMax) throw new BoltError(`page ${this.id}: key too long`);
    return this.#read(at, pos, length);
  }

  value(i: number): Uint8Array {
    const at = pageHeadBytes + i * elementBytes;
    const pos = this.#fields.getUint32(at + 4, true);
    const keyLength = this.#fields.getUint32(at + 8, true);
    const length = this.#fields.getUint32(at + 12, true);
    if (length > boltLimits.valueBytesMax) throw new BoltError(`page ${this.id}: value too long`);
    return this.#read(at, pos + keyLength, length);
  }

  flags(i: number): number {
    return this.#fields.getUint32(pageHeadBytes + i * elementBytes, true);
  }

  child(i: number): number {
    return pageNumber(this.#fields, pageHeadBytes + i * elementBytes + 8);
  }

  #read(elementAt: number, pos: number, length: number): Uint8Array {
    if (length === 0) return emptyBytes;
    const at = elementAt + pos;
    const dataAt = pageHeadBytes + this.count * elementBytes;
    if (at < dataAt || at + length > this.#length) {
      throw new BoltError(`page ${this.id}: an element lies outside`);
    }
    return this.#data(at, length);
  }
}
