import { assert } from "../base/assert.ts";
import { compare } from "../base/bytes.ts";
import {
  boltLimits,
  bucketHeadBytes,
  elementBytes,
  metaPages,
  pageBytes,
  pageHeadBytes,
} from "./format.ts";
import { branchPages, LeafFill, pagesFor } from "./levels.ts";

export interface BucketPlan {
  readonly name: Uint8Array;
  readonly rows: number;
  /** The page its tree begins with, going up: its leaves, then its branches, its root last. */
  readonly firstPage: number;
  readonly pages: number;
  /** 0: the bucket is empty and has no page. */
  readonly rootPage: number;
}

/** The layout of a whole file, known before its first byte. */
export interface BoltPlan {
  readonly buckets: readonly BucketPlan[];
  /** The leaf that lists the buckets: the last pages of the file. */
  readonly rootPage: number;
  readonly pages: number;
  readonly sizeBytes: number;
}

/** First pass: counts the pages that rows of these sizes take. */
export class BoltPlanner {
  readonly #buckets: BucketPlan[] = [];
  #name: Uint8Array | null = null;
  readonly #leaf = new LeafFill();
  #firstPage = metaPages;
  #leafPages = 0;
  #rows = 0;
  /** Length of the first key of each leaf page. */
  #keyLengths: number[] = [];

  /** Begins the next bucket; names ascend. */
  bucket(name: Uint8Array): void {
    this.#endBucket();
    const last = this.#buckets.at(-1);
    assert(last === undefined || compare(last.name, name) < 0, "buckets out of order");
    assert(name.length > 0 && name.length <= boltLimits.keyBytesMax, "bucket name too long");
    this.#name = name;
  }

  /**
   * The next row of the bucket.
   *
   * @param keyBytes 1 to `boltLimits.keyBytesMax`.
   * @param valueBytes 0 to `boltLimits.valueBytesMax`.
   */
  row(keyBytes: number, valueBytes: number): void {
    assert(this.#name !== null, "a row without a bucket");
    assert(keyBytes > 0 && keyBytes <= boltLimits.keyBytesMax, "key length out of bounds");
    assert(valueBytes >= 0 && valueBytes <= boltLimits.valueBytesMax, "value too long");
    const before = this.#leaf.bytes;
    if (this.#leaf.add(keyBytes, valueBytes)) this.#leafPages += pagesFor(before);
    if (this.#leaf.count === 1) this.#keyLengths.push(keyBytes);
    this.#rows++;
  }

  end(): BoltPlan {
    this.#endBucket();
    assert(this.#buckets.length <= boltLimits.bucketsMax, "too many buckets");
    let rootBytes = pageHeadBytes;
    for (const { name, rootPage } of this.#buckets) {
      rootBytes += elementBytes + name.length + bucketHeadBytes;
      if (rootPage === 0) rootBytes += pageHeadBytes;
    }
    const rootPage = this.#firstPage;
    const pages = rootPage + pagesFor(rootBytes);
    return { buckets: this.#buckets, rootPage, pages, sizeBytes: pages * pageBytes };
  }

  #endBucket(): void {
    const name = this.#name;
    if (name === null) return;
    if (this.#leaf.count > 0) this.#leafPages += pagesFor(this.#leaf.bytes);
    const branches = branchPages(this.#keyLengths);
    const pages = this.#leafPages + branches.all;
    const firstPage = this.#firstPage;
    // The root is the last page written: the top branch, or else the only leaf.
    const rootPages = branches.all > 0 ? branches.root : pages;
    const rootPage = this.#rows === 0 ? 0 : firstPage + pages - rootPages;
    this.#buckets.push({ name, rows: this.#rows, firstPage, pages, rootPage });
    this.#firstPage += pages;
    this.#leaf.reset();
    this.#leafPages = 0;
    this.#rows = 0;
    this.#keyLengths = [];
  }
}
