/** A data directory of ours in the hands of a tool: locked, its backend open, its log readable. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { must } from "../base/assert.ts";
import type { Logger } from "../base/log.ts";
import { createNodeClock, createNodeTurn } from "../io/node-clock.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { nodeDirectory } from "../io/node-directory.ts";
import { createNodeDisk } from "../io/node-disk.ts";
import type { DirectoryLock } from "../io/node-lock.ts";
import { lockFile } from "../io/node-lock.ts";
import { createNodeRandom } from "../io/node-random.ts";
import type { Entry, HardState } from "../raft/types.ts";
import type { Backend } from "../server/backend/backend.ts";
import { openLmdbBackend } from "../server/backend/lmdb.ts";
import type { DataDir, DataDirIdentity } from "../server/data-dir.ts";
import { openDataDir } from "../server/data-dir.ts";
import { closeBackend } from "../server/open-backend.ts";
import type { OpenedWal } from "../server/wal/open.ts";
import { openWal } from "../server/wal/open.ts";
import { parseSegmentName } from "../server/wal/names.ts";
import { Recovery } from "../server/wal/recover.ts";
import { waitFor } from "./file-lock.ts";

/** Notes about a directory are for the server's log. */
const silent: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  fatal: (message) => {
    throw new Error(message);
  },
};

/** Whether there is a data directory of ours at `path`. */
export function isOurs(path: string): boolean {
  return statSync(join(path, "member", "format"), { throwIfNoEntry: false }) !== undefined;
}

/** Opens or creates; waits `timeoutMs` for another process to let go of it, 0 without end. */
export function lockDirectory(path: string, timeoutMs: number): Promise<DataDir> {
  const ask = (): DataDir | null => {
    let isBusy = false;
    const lock = (lockPath: string): DirectoryLock | null => {
      const taken = lockFile(lockPath);
      isBusy = taken === null;
      return taken;
    };
    try {
      return openDataDir({ path, files: nodeDirectory, log: silent, lock });
    } catch (error) {
      if (isBusy) return null;
      throw error;
    }
  };
  return waitFor(ask, timeoutMs);
}

/** The backend of a locked directory; `run` ends before it is closed. */
export async function withBackend<T>(
  directory: DataDir,
  run: (backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = openLmdbBackend({ directory: directory.backendPath, turn: createNodeTurn() });
  try {
    return await run(backend);
  } finally {
    await closeBackend(backend);
  }
}

/** A call with a callback as a promise. */
export function done<T = void>(
  run: (callback: (error: Error | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}

export interface NewLog {
  readonly directory: string;
  readonly identity: DataDirIdentity;
  /** The log goes on behind this; null: it begins with index 1. */
  readonly base: { readonly index: number; readonly term: number } | null;
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

/** Size of the files of a new log: mostly a few entries. The server goes on with its own size. */
const segmentBytes = 1 << 20;

/** Writes a new log; durable when done. */
export async function writeLog(log: NewLog): Promise<void> {
  const { directory, identity, base, hardState, entries } = log;
  const clock = createNodeClock();
  let durable: (error: Error | null) => void = () => {};
  const opened = await done<OpenedWal>((callback) => {
    openWal(
      {
        disk: createNodeDisk({ unsafeNoFsync: false }),
        checksum: nodeChecksum,
        random: createNodeRandom(),
        directory: resolve(directory),
        ...identity,
        keepFrom: 1,
        settings: { segmentBytes },
        now: () => clock.now(),
        durable: () => durable(null),
        failed: (error) => durable(error),
      },
      callback,
    );
  });
  const { wal } = opened;
  await done((callback) => {
    let ticket = Infinity;
    durable = (error) => {
      if (error !== null) callback(error);
      else if (wal.durableTicket >= ticket) callback(null);
    };
    if (base !== null) wal.beginBehind(base.index, base.term, hardState);
    ticket = wal.append(hardState, entries);
    durable(null);
  });
  durable = () => {};
  await new Promise<void>((resolve) => {
    wal.close(resolve);
  });
}

/** Reads a log whole, changing nothing. Throws WalCorruptError. */
export function readLog(directory: string, identity: DataDirIdentity, keepFrom: number): Recovery {
  const recovery = new Recovery({ checksum: nodeChecksum, ...identity, keepFrom });
  const segments = readdirSync(directory)
    .map((file) => ({ file, name: parseSegmentName(file) }))
    .filter(({ name }) => name !== null)
    .sort((a, b) => must(a.name).segment - must(b.name).segment);
  for (const { file, name } of segments) {
    const path = join(directory, file);
    recovery.addSegment(must(name), path, readFileSync(path));
  }
  recovery.finish();
  return recovery;
}

/** Whether nothing, or an empty directory, is at `path`. */
export function isEmptyPlace(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  return found.isDirectory() && readdirSync(path).length === 0;
}

/** Runs what fills a new directory; a failure leaves nothing of it. */
export async function filling<T>(
  path: string,
  walDirectory: string,
  run: () => Promise<T>,
): Promise<T> {
  const wasThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  try {
    return await run();
  } catch (error) {
    rmSync(wasThere ? join(path, "member") : path, { recursive: true, force: true });
    rmSync(walDirectory, { recursive: true, force: true });
    throw error;
  }
}
