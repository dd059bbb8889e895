import { open } from "lmdb";
import type { Database, RootDatabase, Transaction } from "lmdb";
import { statSync, truncateSync } from "node:fs";
import { buckets } from "./backend.ts";
import type { BackendSize, Bucket } from "./backend.ts";
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

/** Keys as they are, read into plain arrays. */
const keyEncoder = {
  writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
    target.set(key, start);
    return start + key.length;
  },
  readKey(source: Uint8Array, start: number, end: number): Uint8Array {
    const key = new Uint8Array(end - start);
    for (let i = start; i < end; i++) key[i - start] = source[i]!;
    return key;
  },
};

/** Values as they are. Reading gives a copy: the library's buffer is reused by the next read. */
const encoder = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (bytes: Uint8Array, length: number): Uint8Array => copyOf(bytes, length),
};

const coders = { encoding: "binary" as const, keyEncoder, encoder };

/** The library's buffer claims the last value's length, whatever its memory is. */
export function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  out.set(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  return out;
}

/** Opens or creates. Throws what LMDB says. Threads of one process share what they open. */
export function openEnv(path: string): LmdbEnv {
  const root = openRoot(path);
  try {
    // LMDB reads through its map, and a read behind the end of a truncated file would end the
    // process. With the missing pages there as zeros, it reports corruption instead.
    const { lastPageNumber, root: stats } = statsOf(root);
    const expected = (lastPageNumber + 1) * stats.pageSize;
    if (statSync(path).size < expected) truncateSync(path, expected);
    const opened = buckets.map((name) => [name, root.openDB(name, coders)]);
    return { root, databases: Object.fromEntries(opened) as Record<Bucket, LmdbBucket> };
  } catch (error) {
    void root.close();
    throw error;
  }
}

function openRoot(path: string): RootDatabase<Uint8Array, Uint8Array> {
  const options = {
    noSubdir: true,
    // A commit is flushed before anybody sees it (BK3); the library's default shows it earlier.
    overlappingSync: false,
    maxDbs: buckets.length,
    maxReaders: lmdbLimits.viewsMax,
    permissionsMode: 0o600,
    ...coders,
  };
  try {
    return open(path, { ...options, mapSize: lmdbLimits.mapBytes });
  } catch (error) {
    if (!String(error).includes("Cannot allocate memory")) throw error;
    return open(path, { ...options, mapSize: lmdbLimits.mapBytesSmall });
  }
}

function statsOf(database: LmdbBucket): LmdbStats {
  return database.getStats() as LmdbStats;
}

const pagesOf = (s: LmdbStats): number =>
  s.treeBranchPageCount + s.treeLeafPageCount + s.overflowPages;

/** Two pages at the start of the file describe it. */
const metaPages = 2;

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
