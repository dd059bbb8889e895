import { assert } from "../base/assert.ts";
import { compare } from "../base/bytes.ts";
import {
  bucketHeadBytes,
  elementBytes,
  flagBucket,
  flagLeaf,
  flagMeta,
  metaPages,
  pageBytes,
  pageHeadBytes,
} from "./format.ts";
import { branchCounts, LeafFill, pagesFor } from "./levels.ts";
import { Children, LeafPage, writeBranch, writeMeta } from "./page-writer.ts";
import { PieceWriter } from "./piece-writer.ts";
import type { BoltPlan, BucketPlan } from "./plan.ts";

export interface BoltWriterOptions {
  readonly plan: BoltPlan;
  /** Bytes of a piece, at least one. */
  readonly pieceBytes: number;
  /** Gets the file piece by piece, in order, and owns them; the last may be shorter. */
  readonly take: (piece: Uint8Array<ArrayBuffer>) => void;
}

/**
 * Second pass: the bytes of the file in order, from the same rows in the same order as the plan.
 *
 * WR1  What is written agrees with the plan, page by page; rows that changed between the passes are
 *      a bug of the caller and end with an assertion, never with a damaged file.
 * WR2  Memory: one page, one piece, and the first key of every leaf page of one bucket (under 1 %
 *      of the file for keys of etcd's length).
 */
export class BoltWriter {
  readonly #plan: BoltPlan;
  readonly #out: PieceWriter;
  readonly #leaf = new LeafPage();
  readonly #fill = new LeafFill();
  #bucket = -1;
  #rows = 0;
  #children = new Children();
  #last: Uint8Array = new Uint8Array(64);
  #lastLength = 0;

  constructor(options: BoltWriterOptions) {
    this.#plan = options.plan;
    this.#out = new PieceWriter(options.pieceBytes, options.take);
    for (let id = 0; id < metaPages; id++) writeMeta(this.#out, id, flagMeta, this.#plan);
  }

  bucket(name: Uint8Array): void {
    this.#endBucket();
    this.#bucket++;
    const plan = this.#plan.buckets[this.#bucket];
    assert(plan !== undefined && compare(plan.name, name) === 0, "bucket not as planned");
    assert(this.#page === plan.firstPage, "bucket begins elsewhere than planned"); // WR1
  }

  /** The next row of the bucket; keys ascend. Nothing is kept of the arrays given. */
  row(key: Uint8Array, value: Uint8Array): void {
    this.#checkOrder(key);
    this.#rows++;
    const isNewPage = this.#fill.add(key.length, value.length);
    if (isNewPage) this.#endLeaf();
    if (this.#fill.count === 1) this.#children.add(this.#page, key);
    if (this.#fill.bytes <= pageBytes) this.#leaf.add(0, key, value);
    else this.#leaf.writeLarge(this.#out, this.#page, key, value);
  }

  end(): void {
    this.#endBucket();
    const plan = this.#plan;
    assert(this.#bucket === plan.buckets.length - 1, "fewer buckets than planned");
    assert(this.#page === plan.rootPage, "root page elsewhere than planned");
    this.#writeRoot();
    this.#out.end();
    assert(this.#out.length === plan.sizeBytes, "file length not as planned"); // WR1
  }

  /** The page that the next byte belongs to; a page under way is not begun yet. */
  get #page(): number {
    return this.#out.length / pageBytes;
  }

  #checkOrder(key: Uint8Array): void {
    const last = this.#last.subarray(0, this.#lastLength);
    assert(this.#rows === 0 || compare(last, key) < 0, "rows out of order");
    if (key.length > this.#last.length) this.#last = new Uint8Array(key.length * 2);
    this.#last.set(key);
    this.#lastLength = key.length;
  }

  /** A large row is in the file already. */
  #endLeaf(): void {
    if (this.#leaf.count > 0) this.#leaf.writeTo(this.#out, this.#page);
  }

  #endBucket(): void {
    const plan = this.#plan.buckets[this.#bucket];
    if (plan === undefined) return;
    assert(this.#rows === plan.rows, "number of rows not as planned");
    this.#endLeaf();
    while (this.#children.pages.length > 1) this.#writeLevel();
    const end = plan.firstPage + plan.pages;
    const root = this.#children.pages[0] ?? 0;
    assert(this.#page === end && root === plan.rootPage, "tree not as planned"); // WR1
    this.#children = new Children();
    this.#fill.reset();
    this.#rows = 0;
  }

  #writeLevel(): void {
    const children = this.#children;
    const parents = new Children();
    let first = 0;
    for (const count of branchCounts(children.keyLengths)) {
      parents.add(this.#page, children.key(first));
      writeBranch(this.#out, this.#page, children, first, count);
      first += count;
    }
    this.#children = parents;
  }

  /** Larger than a page with very many buckets only; it is one leaf all the same. */
  #writeRoot(): void {
    const { buckets } = this.#plan;
    const values = buckets.map(bucketValue);
    let bytes = pageHeadBytes + buckets.length * elementBytes;
    let dataAt = bytes;
    for (const [i, { name }] of buckets.entries()) bytes += name.length + values[i]!.length;
    const pages = pagesFor(bytes);
    const page = new Uint8Array(pages * pageBytes);
    const fields = new DataView(page.buffer);
    fields.setBigUint64(0, BigInt(this.#page), true);
    fields.setUint16(8, flagLeaf, true);
    fields.setUint16(10, buckets.length, true);
    fields.setUint32(12, pages - 1, true);
    for (const [i, { name }] of buckets.entries()) {
      const at = pageHeadBytes + i * elementBytes;
      const value = values[i]!;
      fields.setUint32(at, flagBucket, true);
      fields.setUint32(at + 4, dataAt - at, true);
      fields.setUint32(at + 8, name.length, true);
      fields.setUint32(at + 12, value.length, true);
      page.set(name, dataAt);
      page.set(value, dataAt + name.length);
      dataAt += name.length + value.length;
    }
    this.#out.write(page);
  }
}

/** Where the bucket's tree is; an empty bucket is an empty leaf right here. */
function bucketValue({ rootPage }: BucketPlan): Uint8Array {
  const isEmpty = rootPage === 0;
  const value = new Uint8Array(bucketHeadBytes + (isEmpty ? pageHeadBytes : 0));
  const fields = new DataView(value.buffer);
  fields.setBigUint64(0, BigInt(rootPage), true);
  if (isEmpty) fields.setUint16(bucketHeadBytes + 8, flagLeaf, true);
  return value;
}
