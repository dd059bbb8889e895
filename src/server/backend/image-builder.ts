import { assert, must } from "../../base/assert.ts";
import { compare, emptyBytes, utf8 } from "../../base/bytes.ts";
import { BoltError } from "../../bbolt/format.ts";
import { BoltPlanner } from "../../bbolt/plan.ts";
import type { BoltPlan } from "../../bbolt/plan.ts";
import { BoltWriter } from "../../bbolt/writer.ts";
import { buckets } from "./backend.ts";
import type { Bucket, View } from "./backend.ts";
import type { ImageHead } from "./image.ts";

/** Size of the pieces a database file is given out in. */
const imagePieceBytes = 1 << 20;

/** In the order of their names, as they stand in the file. */
export const bucketOrder: readonly Bucket[] = [...buckets].sort((a, b) =>
  compare(utf8(a), utf8(b)),
);

const revisionBytes = 8;

/** A row's place, to go on behind it. */
class Position {
  bucket = 0;
  #key = new Uint8Array(64);
  #length = 0;

  /** The least key behind the last one seen. */
  get from(): Uint8Array {
    return this.#length === 0 ? emptyBytes : this.#key.subarray(0, this.#length + 1);
  }

  get last(): Uint8Array {
    return this.#key.subarray(0, this.#length);
  }

  seen(key: Uint8Array): void {
    if (key.length >= this.#key.length) this.#key = new Uint8Array(key.length * 2);
    this.#key.set(key);
    this.#key[key.length] = 0;
    this.#length = key.length;
  }

  nextBucket(): void {
    this.bucket++;
    this.#length = 0;
  }
}

/**
 * Makes a database file of a view's rows, in two passes of small steps. The owner opens and closes
 * the view.
 */
export class ImageBuilder {
  readonly #view: View;
  readonly #planner = new BoltPlanner();
  #plan: BoltPlan | null = null;
  #head: ImageHead | null = null;
  #at = new Position();
  #isBucketBegun = false;
  #newestKey: Uint8Array = emptyBytes;
  #writer: BoltWriter | null = null;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #isEnded = false;

  constructor(view: View) {
    this.#view = view;
  }

  /** After {@link plan} returned true. */
  get head(): ImageHead {
    return must(this.#head);
  }

  /** After {@link plan} returned true. */
  get sizeBytes(): number {
    return must(this.#plan).sizeBytes;
  }

  /** First pass: counts up to `rowsMax` more rows; true once the layout is known. */
  plan(rowsMax: number): boolean {
    let left = rowsMax;
    const isMore = this.#step(
      (name) => this.#planner.bucket(utf8(name)),
      (key, value) => {
        this.#planner.row(key.length, value.length);
        return --left > 0;
      },
    );
    if (isMore) return false;
    this.#head = readHead(this.#view, this.#newestKey);
    this.#plan = this.#planner.end();
    this.#at = new Position();
    return true;
  }

  /** Second pass: the next piece; null after the last. */
  next(): Uint8Array<ArrayBuffer> | null {
    const plan = must(this.#plan, "plan");
    this.#writer ??= new BoltWriter({
      plan,
      pieceBytes: imagePieceBytes,
      take: (piece) => this.#pieces.push(piece),
    });
    const writer = this.#writer;
    while (this.#pieces.length === 0 && !this.#isEnded) {
      const isMore = this.#step(
        (name) => writer.bucket(utf8(name)),
        (key, value) => {
          writer.row(key, value);
          return this.#pieces.length === 0;
        },
      );
      if (isMore) continue;
      this.#isEnded = true;
      writer.end();
    }
    return this.#pieces.shift() ?? null;
  }

  /** Goes on with the rows until `row` returns false; false once all were seen. */
  #step(
    begin: (name: Bucket) => void,
    row: (key: Uint8Array, value: Uint8Array) => boolean,
  ): boolean {
    const at = this.#at;
    for (;;) {
      const name = bucketOrder[at.bucket];
      if (name === undefined) return false;
      if (!this.#isBucketBegun) begin(name);
      this.#isBucketBegun = true;
      let isStopped = false;
      this.#view.range(name, at.from, null, (key, value) => {
        isStopped = !row(key, value);
        if (isStopped) at.seen(key);
        else if (name === "key" && this.#plan === null) this.#remember(key);
        return !isStopped;
      });
      if (isStopped) {
        if (name === "key" && this.#plan === null) this.#remember(at.last);
        return true;
      }
      this.#isBucketBegun = false;
      at.nextBucket();
    }
  }

  /** Arrays of a visit are reused, so the newest key is kept as a copy. */
  #remember(key: Uint8Array): void {
    if (this.#newestKey.length !== key.length) this.#newestKey = new Uint8Array(key.length);
    this.#newestKey.set(key);
  }
}

function u64(row: Uint8Array | null, name: string): number {
  if (row === null) return 0;
  if (row.length !== revisionBytes) throw new BoltError(`meta row ${name} has ${row.length} bytes`);
  return Number(new DataView(row.buffer, row.byteOffset, row.length).getBigUint64(0));
}

/** Throws on a row that is not what etcd writes. */
export function readHead(view: Pick<View, "get" | "range">, newestKey: Uint8Array): ImageHead {
  const meta = (name: string): Uint8Array | null => view.get("meta", utf8(name));
  const members: Uint8Array[] = [];
  const removed: Uint8Array[] = [];
  view.range("members", emptyBytes, null, (_key, value) => members.push(value.slice()) > 0);
  view.range("members_removed", emptyBytes, null, (key) => removed.push(key.slice()) > 0);
  assert(newestKey.length === 0 || newestKey.length >= revisionBytes, "key row too short");
  const newest = newestKey.length === 0 ? null : newestKey.slice(0, revisionBytes);
  return {
    consistentIndex: u64(meta("consistent_index"), "consistent_index"),
    term: u64(meta("term"), "term"),
    revision: Math.max(1, u64(newest, "key")),
    confState: meta("confState"),
    storageVersion: meta("storageVersion"),
    members,
    removed,
  };
}
