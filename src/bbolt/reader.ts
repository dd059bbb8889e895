import { compare } from "../base/bytes.ts";
import { boltLimits, BoltError, bucketHeadBytes, flagBucket } from "./format.ts";
import { inlinePage, readMeta, readPage } from "./page-reader.ts";
import type { Meta, Page, PageSource } from "./page-reader.ts";

export type { PageSource } from "./page-reader.ts";

export interface BoltBucket {
  readonly name: Uint8Array;
  /** 0: the bucket is inline. */
  readonly rootPage: number;
  /** The leaf of an inline bucket. */
  readonly inline: Uint8Array | null;
}

/** Called with arrays of the source; false ends the walk. */
export type VisitRow = (key: Uint8Array, value: Uint8Array) => boolean;

/**
 * Reads a bbolt file of any writer, from its newest transaction.
 *
 * RD1  Whatever the file holds, the outcome is its rows or a {@link BoltError}: every number of it
 *      is checked before it is used.
 * RD2  Keys strictly ascend over the whole walk and stay within their branch, so no leaf is
 *      visited twice and every walk ends.
 * RD3  Memory: one page a level, and never more than the file has.
 */
export class BoltReader {
  readonly #source: PageSource;
  readonly #meta: Meta;
  /** In order of their names. */
  readonly buckets: readonly BoltBucket[];

  /** Throws {@link BoltError}, or what the source throws. */
  constructor(source: PageSource) {
    this.#source = source;
    this.#meta = readMeta(source);
    const buckets: BoltBucket[] = [];
    const walk = new Walk(source, this.#meta, (page, i) => {
      if (buckets.length === boltLimits.bucketsMax) throw new BoltError("too many buckets");
      if (page.flags(i) !== flagBucket) throw new BoltError("a row outside of all buckets");
      buckets.push(bucketOf(page.key(i), page.value(i)));
      return true;
    });
    walk.run(this.#meta.rootPage);
    this.buckets = buckets;
  }

  /** Bytes of the file's pages; more may follow them (etcd's checksum). */
  get contentBytes(): number {
    return this.#meta.highWater * this.#meta.pageBytes;
  }

  /** All rows of the bucket in key order. Throws {@link BoltError}. */
  rows(bucket: BoltBucket, visit: VisitRow): void {
    const walk = new Walk(this.#source, this.#meta, (page, i) => {
      if (page.flags(i) !== 0) throw new BoltError("a bucket inside of a bucket");
      return visit(page.key(i), page.value(i));
    });
    if (bucket.inline !== null) walk.leaf(inlinePage(bucket.inline));
    else walk.run(bucket.rootPage);
  }
}

function bucketOf(name: Uint8Array, value: Uint8Array): BoltBucket {
  if (value.length < bucketHeadBytes) throw new BoltError("a bucket's head is too short");
  const head = new DataView(value.buffer, value.byteOffset, value.length);
  const rootPage = Number(head.getBigUint64(0, true));
  // Sliced: a view would keep the page it came from.
  const inline = rootPage === 0 ? value.slice(bucketHeadBytes) : null;
  return { name: name.slice(), rootPage, inline };
}

/** One pass over a tree, from its root. */
class Walk {
  readonly #source: PageSource;
  readonly #meta: Meta;
  readonly #visit: (page: Page, i: number) => boolean;
  /** The last key met in a leaf (RD2); null before the first. */
  #last: Uint8Array | null = null;

  constructor(source: PageSource, meta: Meta, visit: (page: Page, i: number) => boolean) {
    this.#source = source;
    this.#meta = meta;
    this.#visit = visit;
  }

  run(rootPage: number): void {
    const page = readPage(this.#source, this.#meta, rootPage);
    if (page.isLeaf) this.leaf(page);
    else this.#branch(page, null, null, 1);
  }

  /** False: the visitor has had enough. */
  leaf(page: Page, from: Uint8Array | null = null, to: Uint8Array | null = null): boolean {
    for (let i = 0; i < page.count; i++) {
      const key = page.key(i);
      if (this.#last !== null && compare(this.#last, key) >= 0) this.#disorder(page);
      if (i === 0 && from !== null && compare(key, from) < 0) this.#disorder(page);
      if (to !== null && compare(key, to) >= 0) this.#disorder(page);
      this.#last = key;
      if (!this.#visit(page, i)) return false;
    }
    return true;
  }

  /** Keys of the page are in [from, to); null has no bound. */
  #branch(page: Page, from: Uint8Array | null, to: Uint8Array | null, depth: number): boolean {
    if (page.count === 0) throw new BoltError(`page ${page.id} is a branch without children`);
    if (depth > boltLimits.depthMax) throw new BoltError(`page ${page.id}: the tree is too deep`);
    for (let i = 0; i < page.count; i++) {
      const low = page.key(i);
      const high = i + 1 < page.count ? page.key(i + 1) : to;
      // Everything before the first key belongs to the first child, whatever its key says.
      const isBelow = i > 0 && from !== null && compare(low, from) < 0;
      if (isBelow || (high !== null && compare(low, high) >= 0)) this.#disorder(page);
      const child = readPage(this.#source, this.#meta, page.child(i));
      if (child.isLeaf && child.count === 0) {
        throw new BoltError(`page ${child.id} is a leaf without rows`);
      }
      const goesOn = child.isLeaf
        ? this.leaf(child, low, high)
        : this.#branch(child, low, high, depth + 1);
      if (!goesOn) return false;
    }
    return true;
  }

  #disorder(page: Page): never {
    throw new BoltError(`page ${page.id}: keys out of order`);
  }
}
