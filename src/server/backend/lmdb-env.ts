import { open } from "lmdb";
import type { Database, RootDatabase, Transaction } from "lmdb";
import { truncateSync } from "node:fs";
import { compare, emptyBytes } from "../../base/bytes.ts";
import { buckets } from "./backend.ts";
import type { BackendSize, Bucket } from "./backend.ts";
import { checkFile } from "./lmdb-file.ts";
import { lmdbLimits } from "./lmdb-limits.ts";

/** `getBinaryFast` takes a transaction as `get` does; the library's types leave that out. */
export type LmdbBucket = Database<Uint8Array, Uint8Array> & {
  getBinaryFast(key: Uint8Array, options: { transaction: Transaction }): Uint8Array | undefined;
};

/** One open environment: the file and a database per bucket. */
export interface LmdbEnv {
  readonly root: RootDatabase<Uint8Array, Uint8Array>;
  readonly databases: Readonly<Record<Bucket, LmdbBucket>>;
}

/** Two pages at the start of the file describe it. */
const metaPages = 2;

/** Where to start for all rows: keys are not empty. The library has a default of its own. */
export const firstKey = new Uint8Array([0]);

interface LmdbStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly entryCount: number;
  readonly lastPageNumber: number;
  readonly root: LmdbStats;
  readonly free: LmdbStats;
}

/** One array per length of key, as most keys of a bucket are equally long; see {@link readKey}. */
const keysRead: Uint8Array[] = [];

/** The key's bytes, valid until the next key is read: an array per row would cost more than it. */
function readKey(source: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const key = (keysRead[length] ??= new Uint8Array(length));
  for (let i = 0; i < length; i++) key[i] = source[start + i]!;
  return key;
}

/** Keys as they are. */
const keyEncoder = {
  writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
    target.set(key, start);
    return start + key.length;
  },
  readKey,
};

/** Values as they are. Reading gives a window on a buffer that the next read reuses. */
const encoder = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Uint8Array, length: number): Uint8Array => windowOn(bytes, length),
};

const coders = { encoding: "binary" as const, keyEncoder, encoder };

let lastWindow = new Uint8Array(0);

/**
 * The library's buffer claims the last value's length, whatever its memory is. Values in a row of
 * the same length share one window.
 */
export function windowOn(bytes: Uint8Array, length: number): Uint8Array {
  const { buffer, byteOffset } = bytes;
  const isSame =
    lastWindow.length === length &&
    lastWindow.buffer === buffer &&
    lastWindow.byteOffset === byteOffset;
  if (!isSame) lastWindow = new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
  return lastWindow;
}

/**
 * Opens or creates. Throws what LMDB says. Threads of one process share what they open.
 *
 * @param isFlushed false: commits are not flushed, the owner does that for the whole file.
 */
export function openEnv(path: string, isFlushed = true): LmdbEnv {
  const size = checkFile(path);
  const root = openRoot(path, isFlushed);
  try {
    const { lastPageNumber, root: stats } = statsOf(root);
    const expected = (lastPageNumber + 1) * stats.pageSize;
    if (size > 0 && size < expected) return openShort(path, size, expected, root);
    return openBuckets(root);
  } catch (error) {
    void root.close();
    throw error;
  }
}

/**
 * Opens a database that this process has open already. Its file is not looked at, as
 * {@link openEnv} does: it may change at this moment.
 */
export function openLive(path: string): LmdbEnv {
  return openBuckets(openRoot(path, true));
}

function openBuckets(root: LmdbEnv["root"]): LmdbEnv {
  const opened = buckets.map((name) => [name, root.openDB(name, coders)]);
  return { root, databases: Object.fromEntries(opened) as Record<Bucket, LmdbBucket> };
}

/**
 * The file ends before its last page. That is sound if no row needs the missing pages (LMDB does
 * not write a page that was used and freed in one commit), else the file was cut. LMDB reads
 * through its map, and a read behind the end of the file would end the process: so put zeros
 * there, and see whether all rows can be read.
 */
function openShort(path: string, size: number, expected: number, root: LmdbEnv["root"]): LmdbEnv {
  truncateSync(path, expected);
  try {
    const env = openBuckets(root);
    for (const name of buckets) checkRows(env.databases[name]);
    return env;
  } catch (error) {
    truncateSync(path, size);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the file has ${size} bytes, wanted ${expected}: it was cut (${reason})`, {
      cause: error,
    });
  }
}

function checkRows(database: LmdbBucket): void {
  const wanted = statsOf(database).entryCount;
  let count = 0;
  let last: Uint8Array = emptyBytes;
  for (const key of database.getKeys({ start: firstKey })) {
    if (compare(last, key) >= 0) throw new Error("rows out of order");
    last = key.slice();
    count++;
  }
  if (count !== wanted) throw new Error(`${count} rows, wanted ${wanted}`);
}

function openRoot(path: string, isFlushed: boolean): LmdbEnv["root"] {
  const options = {
    noSubdir: true,
    // A commit is flushed before anybody sees it (BK3); the library's default shows it earlier.
    overlappingSync: false,
    noSync: !isFlushed,
    mapSize: lmdbLimits.mapBytes,
    maxDbs: buckets.length,
    maxReaders: lmdbLimits.viewsMax,
    permissionsMode: 0o600,
    ...coders,
  };
  return open(path, options);
}

function statsOf(database: LmdbBucket): LmdbStats {
  return database.getStats() as LmdbStats;
}

const pagesOf = (s: LmdbStats): number =>
  s.treeBranchPageCount + s.treeLeafPageCount + s.overflowPages;

export function sizeOf(env: LmdbEnv): BackendSize {
  env.root.resetReadTxn();
  const all = statsOf(env.root);
  let pages = metaPages + pagesOf(all.root) + pagesOf(all.free);
  for (const name of buckets) pages += pagesOf(statsOf(env.databases[name]));
  const { pageSize } = all.root;
  return { file: (all.lastPageNumber + 1) * pageSize, inUse: pages * pageSize };
}

export function rowCounts(env: LmdbEnv): number[] {
  env.root.resetReadTxn();
  return buckets.map((name) => statsOf(env.databases[name]).entryCount);
}
