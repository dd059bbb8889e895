import { chmodSync, openSync, closeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** A data directory held by this process. */
export interface DirectoryLock {
  release(): void;
}

const sqliteBusy = 5;
/** A collected database closes its file: a lock that its owner forgot would end at some moment. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock file, or returns null when another process (or this one) holds it. The kernel lets
 * go of the lock when the process ends, however it ends. docs/adr/0010-directory-lock.md says why
 * an SQLite file: Node itself offers no file lock.
 */
export function lockFile(path: string): DirectoryLock | null {
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path);
  try {
    // The journal would be a second file; nothing is ever written, so none is needed.
    database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return null;
    throw error;
  }
  held.add(database);
  return {
    release(): void {
      held.delete(database);
      database.close();
    },
  };
}
