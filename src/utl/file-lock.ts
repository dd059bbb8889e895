/** Waiting for the process that uses a file or a data directory. */
import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectoryLock } from "../io/node-lock.ts";
import { lockFile } from "../io/node-lock.ts";

const pollMs = 50;

/** Asks until there is an answer, for `timeoutMs`, 0 without end; throws `timeout`. */
export async function waitFor<T>(ask: () => T | null, timeoutMs: number): Promise<T> {
  const start = performance.now();
  for (;;) {
    const answer = ask();
    if (answer !== null) return answer;
    const isOver = timeoutMs > 0 && performance.now() - start >= timeoutMs;
    if (isOver) throw new Error("timeout");
    await sleep(pollMs);
  }
}

/** The lock of a data directory of ours. */
export function waitForLock(path: string, timeoutMs: number): Promise<DirectoryLock> {
  return waitFor(() => lockFile(path), timeoutMs);
}

/** Until nobody holds etcd's lock of the file. */
export async function waitForGoFile(path: string, timeoutMs: number): Promise<void> {
  await waitFor(() => (isLocked(path) ? null : true), timeoutMs);
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
