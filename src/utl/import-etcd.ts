/**
 * `utl import-etcd`: a data directory of Go etcd 3.5 to 3.7 becomes one of ours. The database is
 * taken over row by row; of the log what the database does not hold yet, the rest of it is dropped
 * behind the mark of a snapshot.
 *
 * IE1  Source and result have equal hashes over all rows before anything is said to be done.
 * IE2  The source is only read.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { emptyBytes, utf8 } from "../base/bytes.ts";
import { decodeInternalRequest } from "../codec/internal.ts";
import { Reader } from "../codec/reader.ts";
import type { Entry } from "../raft/types.ts";
import { EntryType } from "../raft/types.ts";
import type { UtlCall } from "./context.ts";
import { ConsoleLog } from "./context.ts";
import type { Database } from "./database.ts";
import { databaseError, openDatabase } from "./database.ts";
import { waitForGoFile } from "./file-lock.ts";
import { goDatabasePath } from "./go-directory.ts";
import type { GoWal } from "./go-wal.ts";
import { hex16, readGoWal } from "./go-wal.ts";
import type { KvHash } from "./hash.ts";
import { hashKv, hashRows } from "./hash.ts";
import { loadFile } from "./load-file.ts";
import { filling, isEmptyPlace, lockDirectory, withBackend, writeLog } from "./our-directory.ts";
import { orExit } from "./or-exit.ts";

export async function importCommand(call: UtlCall): Promise<void> {
  const { flags, output } = call;
  const from = flags.string("from");
  const walFrom = flags.string("from-wal-dir") || join(from, "member", "wal");
  const dataDir = flags.string("data-dir");
  const log = new ConsoleLog(call);
  const hash = await orExit(async () => {
    if (!isEmptyPlace(dataDir)) {
      throw new Error(`data-dir "${dataDir}" not empty or could not be read`);
    }
    await waitForGoFile(goDatabasePath(from), flags.durationMs("timeout"));
    const source = openSource(from, walFrom);
    try {
      log.info("importing", { from, "data-dir": dataDir, ...describe(source) });
      const walDir = join(dataDir, "member", "wal");
      return await filling(dataDir, walDir, () => fill(source, dataDir, walDir, log));
    } finally {
      await source.database.close();
    }
  });
  log.info("imported", { "data-dir": dataDir });
  output.out(`imported, hash ${hash.hash} at revision ${hash.hashRevision}\n`);
}

interface Source {
  readonly path: string;
  readonly database: Database;
  readonly index: number;
  readonly term: number;
  readonly wal: GoWal;
}

function describe({ index, wal }: Source): Record<string, unknown> {
  return {
    "cluster-id": wal.clusterId.toString(16),
    "member-id": wal.memberId.toString(16),
    "consistent-index": index,
    "last-index": wal.lastIndex,
  };
}

/** The database and the log behind it. */
function openSource(from: string, walFrom: string): Source {
  const path = newestDatabase(from, walFrom);
  let database: Database;
  try {
    database = openDatabase(path);
  } catch (error) {
    throw databaseError(error);
  }
  const { view } = database;
  const index = view.consistentIndex;
  const wal = readGoWal(walFiles(walFrom), index);
  if (wal.lastIndex < index) {
    throw new Error(`the WAL ends at index ${wal.lastIndex}, before the database's ${index}`);
  }
  if (view.get("meta", utf8("confState")) === null && index > 0) {
    throw new Error("the database does not say who votes; start it with etcd 3.5 or newer once");
  }
  const mark = wal.snapshots.find((snapshot) => snapshot.index === index);
  const term = u64(view.get("meta", utf8("term"))) || wal.term || (mark?.term ?? 0);
  if (term === 0 && index > 0) throw new Error(`the term of index ${index} is not known`);
  return { path, database, index, term, wal };
}

function walFiles(directory: string): { name: string; read: () => Uint8Array }[] {
  return readdirSync(directory).map((name) => ({
    name,
    read: () => readFileSync(join(directory, name)),
  }));
}

/**
 * Where etcd stopped between receiving a snapshot and using it, the received file is the database
 * that the log goes on from.
 */
function newestDatabase(from: string, walFrom: string): string {
  const path = goDatabasePath(from);
  const names = readdirSync(join(from, "member", "snap"));
  if (!names.some((name) => name.endsWith(".snap.db"))) return path;
  const { hardState, snapshots } = readGoWal(walFiles(walFrom), Number.MAX_SAFE_INTEGER, true);
  const newest = snapshots.findLast(({ index }) => index <= hardState.commit);
  if (newest === undefined) return path;
  const received = join(from, "member", "snap", `${hex16(newest.index)}.snap.db`);
  if (!existsSync(received)) return path;
  const database = openDatabase(path);
  const isBehind = database.view.consistentIndex < newest.index;
  void database.close();
  return isBehind ? received : path;
}

function u64(row: Uint8Array | null): number {
  if (row === null) return 0;
  return Number(new DataView(row.buffer, row.byteOffset, row.length).getBigUint64(0));
}

async function fill(
  source: Source,
  dataDir: string,
  walDir: string,
  log: ConsoleLog,
): Promise<KvHash> {
  const { wal, index, term, database, path } = source;
  const identity = { clusterId: wal.clusterId, memberId: wal.memberId };
  const directory = await lockDirectory(dataDir, 1);
  try {
    directory.saveIdentity(identity);
    const hash = await withBackend(directory, async (backend) => {
      try {
        await loadFile(directory, backend, path);
      } catch (error) {
        throw databaseError(error);
      }
      const view = backend.view();
      try {
        return compareHashes(database, { ...database, view });
      } finally {
        view.close();
      }
    });
    const { hardState } = wal;
    await writeLog({
      directory: walDir,
      identity,
      base: index === 0 ? null : { index, term },
      hardState: {
        term: Math.max(hardState.term, term),
        vote: hardState.vote,
        commit: Math.max(hardState.commit, index),
      },
      entries: wal.entries.map((entry) => ours(entry, log)),
    });
    return hash;
  } finally {
    directory.release();
  }
}

/** IE1. Throws where two databases differ; returns the HashKV of both. */
export function compareHashes(source: Database, result: Database): KvHash {
  const [wanted, got] = [hashKv(source), hashKv(result)];
  if (wanted.hash !== got.hash || hashRows(source) !== hashRows(result)) {
    throw new Error(`the copy differs: HashKV ${got.hash}, wanted ${wanted.hash}`);
  }
  return got;
}

/**
 * etcd 3.5 wrote what a member says of itself as a request of API v2, too. Members say it again
 * when they start, so such an entry is kept with its place and without its content.
 */
function ours(entry: Entry, log: ConsoleLog): Entry {
  if (entry.type !== EntryType.normal || entry.data.length === 0) return entry;
  if (!isOfV2(entry.data)) {
    decodeInternalRequest(entry.data); // throws: better now than at the first start
    return entry;
  }
  log.warn("an entry of API v2 is kept empty", { index: entry.index });
  return { ...entry, data: emptyBytes };
}

/** In both forms: as field 2 of an InternalRaftRequest, or bare, where field 2 is the method. */
const tagOfV2 = 0x12;

function isOfV2(data: Uint8Array): boolean {
  const r = new Reader(data);
  while (r.next()) {
    if (r.tag === tagOfV2) return true;
    r.skip();
  }
  return false;
}
