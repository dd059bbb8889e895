/**
 * `utl verify`: whether the files of a member agree. The log is read whole with all its checksums,
 * every row of the backend is decoded, and what both say of each other is compared. Nothing is
 * changed. All problems are told, not only the first.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BugError } from "../base/assert.ts";
import { emptyBytes, toBinaryString, utf8 } from "../base/bytes.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import { errorText } from "../cli/system-error.ts";
import type { View } from "../server/backend/backend.ts";
import type { DataDir } from "../server/data-dir.ts";
import { decodeMember } from "../server/member/member.ts";
import { KvScanner } from "../server/mvcc/kv-bytes.ts";
import { isTombstoneKey, revisionMain } from "../server/mvcc/revision.ts";
import { parseConfState } from "../server/state.ts";
import type { Recovery } from "../server/wal/recover.ts";
import type { UtlCall } from "./context.ts";
import { openDatabase } from "./database.ts";
import { hashKv } from "./hash.ts";
import { isOurs, lockDirectory, readLog } from "./our-directory.ts";
import { printerOf } from "./printer.ts";
import { orExit } from "./or-exit.ts";

export async function verifyCommand(call: UtlCall): Promise<void> {
  const { flags } = call;
  const dataDir = flags.string("data-dir");
  const print = printerOf(call);
  const found = await orExit(async () => {
    if (!isOurs(dataDir)) {
      throw new Error(`stat ${join(dataDir, "member", "format")}: no such file or directory`);
    }
    const directory = await lockDirectory(dataDir, flags.durationMs("timeout"));
    try {
      const walDir = flags.string("wal-dir") || directory.walPath;
      return await verify(dataDir, walDir, directory);
    } finally {
      directory.release();
    }
  });
  const { problems, figures } = found;
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n${problem}`).join("");
    throw new ExitError(exitCode.error, `${problems.length} problems found.${list}`);
  }
  call.output.out(
    print(
      Object.entries(figures).map(([title, value]) => ({
        title,
        fields: title,
        json: title.replace(/ (.)/g, (_, letter: string) => letter.toUpperCase()),
        value,
      })),
    ),
  );
}

interface Verified {
  readonly problems: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

async function verify(dataDir: string, walDir: string, directory: DataDir): Promise<Verified> {
  const { identity, preparedPath } = directory;
  if (identity === null) return { problems: ["no member was ever started here"], figures: {} };
  const problems: string[] = [];
  const note = <T>(run: () => T): T | null => {
    try {
      return run();
    } catch (error) {
      problems.push(error instanceof BugError ? `backend: ${error.message}` : errorText(error));
      return null;
    }
  };
  if (existsSync(preparedPath)) {
    problems.push("snapshot: one was received and waits to be installed; start the member once");
  }
  const database = note(() => openDatabase(dataDir));
  if (database === null) return { problems, figures: {} };
  try {
    const { view } = database;
    const keepFrom = Math.max(1, view.consistentIndex);
    const log = note(() => readLog(walDir, identity, keepFrom));
    if (log !== null) problems.push(...compareLog(log, view));
    const rows = note(() => checkRows(view, problems)) ?? 0;
    const hash = note(() => hashKv(database));
    return {
      problems,
      figures: {
        "consistent index": view.consistentIndex,
        "first index": log?.firstIndex ?? 0,
        "last index": log?.lastIndex ?? 0,
        "commit index": log?.hardState.commit ?? 0,
        rows,
        hash: hash?.hash ?? 0,
        "hash revision": hash?.hashRevision ?? 0,
      },
    };
  } finally {
    await database.close();
  }
}

/** What log and backend say of the same entry. */
function compareLog(log: Recovery, view: View): string[] {
  const problems: string[] = [];
  const { consistentIndex: index } = view;
  if (log.lastIndex < index) {
    problems.push(`WAL: it ends at index ${log.lastIndex}, before the backend's ${index}`);
  }
  if (log.firstIndex > index + 1) {
    problems.push(`WAL: it begins at index ${log.firstIndex}, behind the backend's ${index}`);
  }
  const term = u64(view.get("meta", utf8("term")));
  const base = log.base?.index === index ? log.base.term : undefined;
  const inLog = log.entries.find((entry) => entry.index === index)?.term ?? base;
  if (inLog !== undefined && inLog !== term) {
    problems.push(`WAL: entry ${index} is of term ${inLog}, in the backend of term ${term}`);
  }
  if (log.hardState.term < term) {
    problems.push(`WAL: its term is ${log.hardState.term}, the backend's ${term}`);
  }
  return problems;
}

function u64(row: Uint8Array | null): number {
  if (row === null) return 0;
  return Number(new DataView(row.buffer, row.byteOffset, row.length).getBigUint64(0));
}

/** Decodes every row; returns how many there are in `key`. */
function checkRows(view: View, problems: string[]): number {
  const leases = new Set<bigint>();
  view.range("lease", emptyBytes, null, (key) => {
    leases.add(new DataView(key.buffer, key.byteOffset, key.length).getBigInt64(0));
    return true;
  });
  const members = new Set<bigint>();
  view.range("members", emptyBytes, null, (_key, value) => {
    members.add(decodeMember(new TextDecoder().decode(value)).id);
    return true;
  });
  const conf = parseConfState(view.get("meta", utf8("confState")));
  const voting = [...conf.voters, ...conf.learners];
  const strange = voting.find((id) => !members.has(id));
  if (strange !== undefined) {
    problems.push(`backend: ${strange.toString(16)} is in raft's configuration, but no member`);
  }
  const scanner = new KvScanner();
  let rows = 0;
  const attached = new Map<string, bigint>();
  view.range("key", emptyBytes, null, (key, value) => {
    rows++;
    const main = revisionMain(key);
    scanner.scan(value, 0, value.length);
    const isTombstone = isTombstoneKey(key);
    // A restore that raises the revision leaves an empty row at the new one.
    if (!isTombstone && value.length > 0 && scanner.mod !== main) {
      problems.push(`backend: the row of revision ${main} says it is of ${scanner.mod}`);
    }
    const name = toBinaryString(value.subarray(scanner.keyStart, scanner.keyEnd));
    if (!isTombstone && scanner.hasLease) attached.set(name, scanner.lease);
    else attached.delete(name);
    return true;
  });
  const lost = [...attached.values()].filter((lease) => !leases.has(lease)).length;
  if (lost > 0) problems.push(`backend: ${lost} keys are attached to a lease that is not there`);
  return rows;
}
