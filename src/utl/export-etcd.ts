/**
 * `utl export-etcd`: a data directory of ours becomes one of Go etcd 3.7: its database, a snapshot
 * of the raft log at the index that the database holds, and a WAL with what follows.
 *
 * EE1  Source and result have equal hashes over all rows before anything is said to be done.
 * EE2  Nothing of the source changes but its lock file.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { encodeSnapshot } from "../codec/raft.ts";
import { Writer } from "../codec/writer.ts";
import { emptyBytes } from "../base/bytes.ts";
import { nodeDirectory, syncDirectory } from "../io/node-directory.ts";
import type { Backend } from "../server/backend/backend.ts";
import type { ImageExport, ImageHead } from "../server/backend/image.ts";
import { bucketOrder } from "../server/backend/image-builder.ts";
import type { DataDir, DataDirIdentity } from "../server/data-dir.ts";
import { parseConfState } from "../server/state.ts";
import { writeAll } from "./bolt-file.ts";
import type { UtlCall } from "./context.ts";
import { ConsoleLog } from "./context.ts";
import { openDatabase } from "./database.ts";
import { goDatabasePath } from "./go-directory.ts";
import { encodeGoWal, encodeSnapFile, firstWalName, snapFileName } from "./go-wal.ts";
import type { KvHash } from "./hash.ts";
import { compareHashes } from "./import-etcd.ts";
import {
  done,
  filling,
  isEmptyPlace,
  isOurs,
  lockDirectory,
  readLog,
  withBackend,
} from "./our-directory.ts";
import { orExit } from "./or-exit.ts";

export async function exportCommand(call: UtlCall): Promise<void> {
  const { flags, output } = call;
  const dataDir = flags.string("data-dir");
  const to = flags.string("to");
  const walDir = flags.string("wal-dir") || join(dataDir, "member", "wal");
  const log = new ConsoleLog(call);
  const hash = await orExit(async () => {
    if (!isOurs(dataDir)) {
      throw new Error(`stat ${join(dataDir, "member", "format")}: no such file or directory`);
    }
    if (!isEmptyPlace(to)) throw new Error(`the directory "${to}" is not empty`);
    const directory = await lockDirectory(dataDir, flags.durationMs("timeout"));
    try {
      const { identity } = directory;
      if (identity === null) throw new Error(`no member was ever started in "${dataDir}"`);
      log.info("exporting", { "data-dir": dataDir, to });
      return await filling(to, join(to, "member", "wal"), () =>
        fill({ directory, identity, walDir, to }),
      );
    } finally {
      directory.release();
    }
  });
  log.info("exported", { to });
  output.out(`exported, hash ${hash.hash} at revision ${hash.hashRevision}\n`);
}

interface Export {
  readonly directory: DataDir;
  readonly identity: DataDirIdentity;
  readonly walDir: string;
  readonly to: string;
}

async function fill({ directory, identity, walDir, to }: Export): Promise<KvHash> {
  const path = goDatabasePath(to);
  const snapDirectory = join(to, "member", "snap");
  nodeDirectory.makeDirectory(snapDirectory);
  const { head, hash } = await withBackend(directory, async (backend) => {
    const written = await writeDatabase(backend, path);
    return { head: written, hash: await compare(backend, path) };
  });
  const { consistentIndex: index, term } = head;
  if (index === 0) throw new Error("the member has never applied an entry");
  const log = readLog(walDir, identity, index + 1);
  if (log.lastIndex < index) {
    throw new Error(`the WAL ends at index ${log.lastIndex}, before the database's ${index}`);
  }
  const { hardState } = log;
  const confState = parseConfState(head.confState);
  const snapshot = { index, term };
  writeFile(join(snapDirectory, snapFileName(term, index)), [
    encodeSnapFile(raftSnapshot({ ...snapshot, confState })),
  ]);
  syncDirectory(snapDirectory);
  const walTo = join(to, "member", "wal");
  nodeDirectory.makeDirectory(walTo);
  const wal = {
    ...identity,
    ...{ snapshot, confState, entries: log.entries },
    hardState: {
      term: Math.max(hardState.term, term),
      vote: hardState.vote,
      commit: Math.max(hardState.commit, index),
    },
  };
  writeFile(join(walTo, firstWalName), encodeGoWal(wal));
  syncDirectory(walTo);
  return hash;
}

function raftSnapshot(metadata: Parameters<typeof encodeSnapshot>[1]["metadata"]): Uint8Array {
  const out = new Writer();
  encodeSnapshot(out, { metadata, data: emptyBytes });
  return out.copy();
}

async function writeDatabase(backend: Backend, path: string): Promise<ImageHead> {
  const image = await done<ImageExport>((callback) => {
    backend.exportImage(callback);
  });
  const file = openSync(path, "wx", 0o600);
  try {
    for (;;) {
      const piece = await done<Uint8Array | null>((callback) => {
        image.read(callback);
      });
      if (piece === null) break;
      writeAll(file, piece);
    }
    fsyncSync(file);
    return image.head;
  } finally {
    image.close();
    closeSync(file);
  }
}

async function compare(backend: Backend, path: string): Promise<KvHash> {
  const result = openDatabase(path);
  const view = backend.view();
  try {
    return compareHashes({ ...result, bucketNames: bucketOrder, view }, result); // EE1
  } finally {
    view.close();
    await result.close();
  }
}

function writeFile(path: string, pieces: Iterable<Uint8Array>): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (const piece of pieces) writeAll(file, piece);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
