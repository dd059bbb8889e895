import type { Done } from "../../base/ports.ts";
import type { ImageBackend } from "./image.ts";

/** etcd's buckets (internals.md 4). Rows are opaque bytes here. */
export const buckets = [
  "key",
  "meta",
  "lease",
  "alarm",
  "auth",
  "authUsers",
  "authRoles",
  "members",
  "members_removed",
  "cluster",
] as const;
export type Bucket = (typeof buckets)[number];

/**
 * Rows to write in one durable commit. Later writes of one row win. Keys and values are kept by
 * reference and must never change.
 */
export class Batch {
  readonly buckets: Bucket[] = [];
  readonly keys: Uint8Array[] = [];
  /** null deletes the row. */
  readonly values: (Uint8Array | null)[] = [];
  bytes = 0;

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.buckets.push(bucket);
    this.keys.push(key);
    this.values.push(value);
    this.bytes += key.length + value.length;
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.buckets.push(bucket);
    this.keys.push(key);
    this.values.push(null);
    this.bytes += key.length;
  }

  get size(): number {
    return this.keys.length;
  }
}

/** A stable picture of the last commit that was durable when it was opened. */
export interface View {
  /** meta/consistent_index of this picture; 0 when never written. */
  readonly consistentIndex: number;
  /** The row's value, or null. A copy: it may be kept. */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | null;
  /**
   * Rows with from <= key < to (to = null: to the end), in key order, until `visit` returns false.
   * The arrays given to `visit` are valid during that call and until the next read of any view.
   */
  range(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void;
  close(): void;
}

export interface BackendSize {
  /** Bytes of the file. Never 0 (etcdctl divides by it). */
  readonly file: number;
  /** Bytes of pages in use. */
  readonly inUse: number;
}

/**
 * BK1  A commit is whole or absent after any crash.
 * BK2  Commits are durable in the order given; `done` comes only when the commit is durable.
 * BK3  A view never changes and never shows a commit that is not durable.
 * BK4  A failed commit is fatal for the owner: nothing is retried.
 */
export interface Backend extends ImageBackend {
  commit(batch: Batch, done: Done): void;
  view(): View;
  size(): BackendSize;
  /**
   * Copies the newest state into a fresh environment off the main thread, replays the commits
   * since, swaps. Views stay valid.
   */
  defragment(done: Done): void;
  close(done: Done): void;
}
