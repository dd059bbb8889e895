import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { databaseName } from "./lmdb-limits.ts";
import { syncDirectory } from "./lmdb-file.ts";

const suffixes = [".received", ".loading", ".loading-lock", "-lock"] as const;

/** Names of what belongs to a prepared environment while it is made, or used by nobody. */
export function leftovers(path: string): {
  readonly received: string;
  readonly loading: string;
  readonly all: readonly string[];
} {
  const all = suffixes.map((suffix) => `${path}${suffix}`);
  return { received: `${path}.received`, loading: `${path}.loading`, all };
}

/**
 * At boot, before the backend is opened: puts the prepared environment in its place. False if there
 * is none at `path`. Durable when it returns; a crash before leaves both as they were.
 */
export function takePrepared(backendDirectory: string, path: string): boolean {
  if (!existsSync(path)) return false;
  const database = join(backendDirectory, databaseName);
  renameSync(path, database);
  // Of the database before: LMDB makes a new one.
  rmSync(`${database}-lock`, { force: true });
  syncDirectory(backendDirectory);
  syncDirectory(dirname(path));
  return true;
}

/**
 * At boot: removes everything that installs which did not reach their end have left in the
 * directory of prepared environments, which holds nothing else.
 */
export function clearPrepared(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true });
}
