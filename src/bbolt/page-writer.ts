import {
  elementBytes,
  flagBranch,
  flagLeaf,
  fnv1a64,
  magic,
  metaAt,
  metaSummedBytes,
  noFreelist,
  pageBytes,
  pageHeadBytes,
  version,
} from "./format.ts";
import { pagesFor } from "./levels.ts";
import type { PieceWriter } from "./piece-writer.ts";
import type { BoltPlan } from "./plan.ts";

/** Children of one branch level: the page and the first key of each. Keys share one block. */
export class Children {
  readonly pages: number[] = [];
  readonly keyLengths: number[] = [];
  readonly #keyAt: number[] = [];
  #keys = new Uint8Array(1024);
  #used = 0;

  add(page: number, key: Uint8Array): void {
    if (this.#used + key.length > this.#keys.length) {
      const grown = new Uint8Array(Math.max(this.#keys.length * 2, this.#used + key.length));
      grown.set(this.#keys.subarray(0, this.#used));
      this.#keys = grown;
    }
    this.#keys.set(key, this.#used);
    this.pages.push(page);
    this.keyLengths.push(key.length);
    this.#keyAt.push(this.#used);
    this.#used += key.length;
  }

  key(i: number): Uint8Array {
    const at = this.#keyAt[i]!;
    return this.#keys.subarray(at, at + this.keyLengths[i]!);
  }
}

function writeHead(
  fields: DataView,
  id: number,
  flags: number,
  count: number,
  overflow: number,
): void {
  fields.setBigUint64(0, BigInt(id), true);
  fields.setUint16(8, flags, true);
  fields.setUint16(10, count, true);
  fields.setUint32(12, overflow, true);
}

/** A leaf page being filled: elements in front, keys and values behind, as they come. */
export class LeafPage {
  readonly #data = new Uint8Array(pageBytes);
  readonly #head = new Uint8Array(pageBytes);
  readonly #fields = new DataView(this.#head.buffer);
  #used = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The caller made sure that the page has room. Elements are put right when it is written. */
  add(flags: number, key: Uint8Array, value: Uint8Array): void {
    this.#element(this.#count++, flags, this.#used, key.length, value.length);
    this.#data.set(key, this.#used);
    this.#data.set(value, this.#used + key.length);
    this.#used += key.length + value.length;
  }

  writeTo(out: PieceWriter, id: number): void {
    const headBytes = pageHeadBytes + this.#count * elementBytes;
    writeHead(this.#fields, id, flagLeaf, this.#count, 0);
    for (let i = 0; i < this.#count; i++) {
      const at = pageHeadBytes + i * elementBytes + 4;
      // From the element itself to its key: the elements behind it lie in between.
      const toData = (this.#count - i) * elementBytes;
      this.#fields.setUint32(at, this.#fields.getUint32(at, true) + toData, true);
    }
    out.write(this.#head.subarray(0, headBytes));
    out.write(this.#data.subarray(0, this.#used));
    out.zeros(pageBytes - headBytes - this.#used);
    this.#used = 0;
    this.#count = 0;
  }

  /** A row too large for a page has pages of its own. Returns how many. */
  writeLarge(out: PieceWriter, id: number, key: Uint8Array, value: Uint8Array): number {
    const headBytes = pageHeadBytes + elementBytes;
    const bytes = headBytes + key.length + value.length;
    const pages = pagesFor(bytes);
    writeHead(this.#fields, id, flagLeaf, 1, pages - 1);
    this.#element(0, 0, elementBytes, key.length, value.length);
    out.write(this.#head.subarray(0, headBytes));
    out.write(key);
    out.write(value);
    out.zeros(pages * pageBytes - bytes);
    return pages;
  }

  #element(i: number, flags: number, pos: number, keyBytes: number, valueBytes: number): void {
    const at = pageHeadBytes + i * elementBytes;
    this.#fields.setUint32(at, flags, true);
    this.#fields.setUint32(at + 4, pos, true);
    this.#fields.setUint32(at + 8, keyBytes, true);
    this.#fields.setUint32(at + 12, valueBytes, true);
  }
}

/** One branch page over `count` children from `first` on. Returns how many pages it took. */
export function writeBranch(
  out: PieceWriter,
  id: number,
  children: Children,
  first: number,
  count: number,
): number {
  let keyBytes = 0;
  for (let i = first; i < first + count; i++) keyBytes += children.keyLengths[i]!;
  const bytes = pageHeadBytes + count * elementBytes + keyBytes;
  const pages = pagesFor(bytes);
  const head = new Uint8Array(pageHeadBytes + count * elementBytes);
  const fields = new DataView(head.buffer);
  writeHead(fields, id, flagBranch, count, pages - 1);
  let keyAt = head.length;
  for (let i = 0; i < count; i++) {
    const at = pageHeadBytes + i * elementBytes;
    const length = children.keyLengths[first + i]!;
    fields.setUint32(at, keyAt - at, true);
    fields.setUint32(at + 4, length, true);
    fields.setBigUint64(at + 8, BigInt(children.pages[first + i]!), true);
    keyAt += length;
  }
  out.write(head);
  for (let i = first; i < first + count; i++) out.write(children.key(i));
  out.zeros(pages * pageBytes - bytes);
  return pages;
}

/** The page that finds everything else; `id` is 0 or 1, and the transaction it stands for. */
export function writeMeta(out: PieceWriter, id: number, flags: number, plan: BoltPlan): void {
  const page = new Uint8Array(pageBytes);
  const fields = new DataView(page.buffer);
  writeHead(fields, id, flags, 0, 0);
  fields.setUint32(metaAt.magic, magic, true);
  fields.setUint32(metaAt.version, version, true);
  fields.setUint32(metaAt.pageSize, pageBytes, true);
  fields.setBigUint64(metaAt.root, BigInt(plan.rootPage), true);
  fields.setBigUint64(metaAt.freelist, noFreelist, true);
  fields.setBigUint64(metaAt.highWater, BigInt(plan.pages), true);
  fields.setBigUint64(metaAt.transaction, BigInt(id), true);
  const summed = page.subarray(metaAt.magic, metaAt.magic + metaSummedBytes);
  fields.setBigUint64(metaAt.checksum, fnv1a64(summed), true);
  out.write(page);
}
