/** A data directory of Go etcd: where its files are, and whether a process uses them. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Its database. */
export function goDatabasePath(dataDir: string): string {
  return join(dataDir, "member", "snap", "db");
}

const lockPollMs = 50;

/** Waits `timeoutMs` for the process that holds the file, 0 without end; throws `timeout`. */
export async function waitForGoFile(path: string, timeoutMs: number): Promise<void> {
  const start = performance.now();
  while (isLocked(path)) {
    const isOver = timeoutMs > 0 && performance.now() - start >= timeoutMs;
    if (isOver) throw new Error("timeout");
    await sleep(lockPollMs);
  }
}

const locksPath = "/proc/locks";

/**
 * Whether a process holds bbolt's lock of the file. Node has no such lock, but Linux lists them;
 * elsewhere nobody can say.
 */
function isLocked(path: string): boolean {
  let locks: string;
  try {
    locks = readFileSync(locksPath, "latin1");
  } catch {
    return false;
  }
  const { ino } = statSync(path, { bigint: true });
  return locks.split("\n").some((line) => {
    const [, kind, , , , place] = line.trim().split(/\s+/);
    // The device number is left out: of a layered file system it is not the one that stat gives.
    return kind === "FLOCK" && place?.split(":")[2] === String(ino);
  });
}
