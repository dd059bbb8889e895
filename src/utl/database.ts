/**
 * Rows of a database wherever they stand: in a file of etcd (bbolt), or in a data directory of ours
 * (LMDB). What only reads is the same for both.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { compare, toBinaryString } from "../base/bytes.ts";
import { BoltError } from "../bbolt/format.ts";
import { BoltReader } from "../bbolt/reader.ts";
import type { BoltBucket } from "../bbolt/reader.ts";
import { buckets } from "../server/backend/backend.ts";
import type { Bucket, View } from "../server/backend/backend.ts";
import { bucketOrder } from "../server/backend/image-builder.ts";
import { openEnv, sizeOf } from "../server/backend/lmdb-env.ts";
import { LmdbView } from "../server/backend/lmdb-view.ts";
import { FilePages } from "./bolt-file.ts";
import { waitForGoFile, waitForLock } from "./file-lock.ts";

export interface Database {
  /** What stands in it, in order; a file of an older etcd may lack some. */
  readonly bucketNames: readonly Bucket[];
  readonly view: View;
  /** Of a file the pages up to the last one in use. */
  readonly sizeBytes: number;
  close(): Promise<void>;
}

/**
 * Opens what is at `path`, once no other process uses it: waits `timeoutMs` for that, 0 without
 * end. Throws {@link BoltError}, or what the system says.
 */
export async function openFree(path: string, timeoutMs: number): Promise<Database> {
  const file = databaseFile(path);
  if (!isLmdb(file)) {
    await waitForGoFile(file, timeoutMs);
    return openBolt(file);
  }
  const lockPath = join(dirname(file), "..", "lock");
  if (!isFile(lockPath)) return openLmdb(file); // a copy of the file alone
  const lock = await waitForLock(lockPath, timeoutMs);
  try {
    const database = openLmdb(file);
    const close = (): Promise<void> => database.close().finally(() => lock.release());
    return { ...database, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** As {@link openFree}, for who holds the lock already. */
export function openDatabase(path: string): Database {
  const file = databaseFile(path);
  return isLmdb(file) ? openLmdb(file) : openBolt(file);
}

/** The file itself, or ours in a data directory. */
function databaseFile(path: string): string {
  if (!statSync(path).isDirectory()) return path;
  const file = join(path, "member", "backend", "data.mdb");
  if (isFile(file)) return file;
  throw new BoltError(invalidDatabase);
}

const invalidDatabase = "invalid database";

/** What bbolt says of a file that is none of its own; other damage in our words. */
export function databaseError(error: unknown): unknown {
  if (!(error instanceof BoltError)) return error;
  return error.message.startsWith("no sound meta page") ? new BoltError(invalidDatabase) : error;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

const lmdbMagicAt = 24;
const lmdbMagic = 0xbeefc0de;

function isLmdb(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = new Uint8Array(lmdbMagicAt + 4);
    readSync(file, head, 0, head.length, 0);
    return new DataView(head.buffer).getUint32(lmdbMagicAt, true) === lmdbMagic;
  } finally {
    closeSync(file);
  }
}

function openLmdb(path: string): Database {
  const env = openEnv(path);
  const view = new LmdbView(env, () => {});
  return {
    bucketNames: bucketOrder,
    view,
    sizeBytes: sizeOf(env).file,
    close: () => {
      view.close();
      return env.root.close();
    },
  };
}

function openBolt(path: string): Database {
  const file = openSync(path, "r");
  try {
    const pages = new FilePages(file);
    // A file that somebody only created; etcd makes a database of it.
    const reader = pages.sizeBytes === 0 ? null : new BoltReader(pages);
    const view = new BoltView(reader);
    return {
      bucketNames: view.names,
      view,
      sizeBytes: reader?.contentBytes ?? 0,
      close: () => {
        closeSync(file);
        return Promise.resolve();
      },
    };
  } catch (error) {
    closeSync(file);
    throw databaseError(error);
  }
}

const revisionBytes = 8;

/** A view on a file. A row is found by walking its bucket: for the small ones. */
export class BoltView implements View {
  readonly #reader: BoltReader | null;
  readonly #buckets = new Map<Bucket, BoltBucket>();

  constructor(reader: BoltReader | null) {
    this.#reader = reader;
    for (const bucket of reader?.buckets ?? []) {
      const name = toBinaryString(bucket.name);
      const known = buckets.find((other) => other === name);
      if (known === undefined) {
        throw new BoltError(`unknown bucket "${name}": not a file of etcd 3`);
      }
      this.#buckets.set(known, bucket);
    }
  }

  get names(): readonly Bucket[] {
    return bucketOrder.filter((name) => this.#buckets.has(name));
  }

  get consistentIndex(): number {
    const row = this.get("meta", new TextEncoder().encode("consistent_index"));
    if (row?.length !== revisionBytes) return 0;
    return Number(new DataView(row.buffer, row.byteOffset).getBigUint64(0));
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | null {
    let found: Uint8Array | null = null;
    this.range(bucket, key, null, (other, value) => {
      if (compare(other, key) === 0) found = value.slice();
      return false;
    });
    return found;
  }

  range(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    const found = this.#buckets.get(bucket);
    if (found === undefined) return;
    this.#reader?.rows(found, (key, value) => {
      if (compare(key, from) < 0) return true;
      if (to !== null && compare(key, to) >= 0) return false;
      return visit(key, value);
    });
  }

  close(): void {}
}
