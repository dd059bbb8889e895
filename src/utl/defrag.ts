/** `utl defrag`: rewrites a database without its free pages. */
import { closeSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { BoltReader } from "../bbolt/reader.ts";
import { humanBytes } from "../cli/humanize.ts";
import { exitCode, ExitError } from "../cli/run.ts";
import { errorText } from "../cli/system-error.ts";
import { FilePages, rewriteBolt } from "./bolt-file.ts";
import type { UtlCall } from "./context.ts";
import { ConsoleLog } from "./context.ts";
import { databaseError } from "./database.ts";
import { waitForGoFile } from "./file-lock.ts";
import { goDatabasePath } from "./go-directory.ts";
import { done, isOurs, lockDirectory, withBackend } from "./our-directory.ts";

export async function defragCommand(call: UtlCall): Promise<void> {
  const dataDir = call.flags.string("data-dir");
  const timeoutMs = call.flags.durationMs("timeout");
  const log = new ConsoleLog(call);
  try {
    if (isOurs(dataDir)) await defragOurs(dataDir, timeoutMs, log);
    else await defragGo(dataDir, timeoutMs, log);
  } catch (error) {
    const reason = errorText(databaseError(error));
    throw new ExitError(exitCode.error, `Failed to defragment etcd data[${dataDir}] (${reason})`, {
      cause: error,
    });
  }
}

async function defragOurs(dataDir: string, timeoutMs: number, log: ConsoleLog): Promise<void> {
  const directory = await lockDirectory(dataDir, timeoutMs);
  try {
    await withBackend(directory, async (backend) => {
      const path = join(directory.backendPath, "data.mdb");
      const before = backend.size().file;
      noteBegin(log, path, before);
      await done((callback) => {
        backend.defragment(callback);
      });
      noteEnd(log, path, before, backend.size().file);
    });
  } finally {
    directory.release();
  }
}

async function defragGo(dataDir: string, timeoutMs: number, log: ConsoleLog): Promise<void> {
  const path = goDatabasePath(dataDir);
  const before = statSync(path).size;
  await waitForGoFile(path, timeoutMs);
  noteBegin(log, path, before);
  const file = openSync(path, "r");
  try {
    rewriteBolt(new BoltReader(new FilePages(file)), path);
  } finally {
    closeSync(file);
  }
  noteEnd(log, path, before, statSync(path).size);
}

function noteBegin(log: ConsoleLog, path: string, bytes: number): void {
  const size = { "current-db-size-bytes": bytes, "current-db-size": humanBytes(bytes) };
  log.info("defragmenting", { path, ...size });
}

function noteEnd(log: ConsoleLog, path: string, before: number, bytes: number): void {
  log.info("finished defragmenting directory", {
    path,
    "current-db-size-bytes-diff": bytes - before,
    "current-db-size-bytes": bytes,
    "current-db-size": humanBytes(bytes),
  });
}
