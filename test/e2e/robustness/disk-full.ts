// Fills the disk of all members, which is a small one of memory, and makes room again.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Arena } from "./arena.ts";

const diskBytes = 1 << 30;
const pieceBytes = 1 << 20;

/** A file system of its own; null where this process must not mount one. */
export function makeSmallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "quorate-disk-"));
  try {
    const args = ["-t", "tmpfs", "-o", `size=${diskBytes}`, "quorate-e2e", folder];
    execFileSync("mount", args, { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
}

export function removeSmallDisk(folder: string): void {
  execFileSync("umount", ["-l", folder], { stdio: "ignore" });
  rmSync(folder, { recursive: true, force: true });
}

/** Members may end by themselves: they cannot go on. They are started again when there is room. */
export async function fillDisk(arena: Arena, secondsMax: number): Promise<void> {
  const folder = join(arena.members[0]?.folder ?? "", "..");
  const filler = join(folder, "filler");
  for (const member of arena.members) member.allowEnd();
  fill(filler);
  arena.mark("disk-full", folder);
  await delay(1_000 + arena.random.below(Math.max(1, Math.floor(secondsMax * 1_000) - 1_000)));
  const ended = arena.members.filter((member) => !member.isRunning);
  arena.tell(`room again; ended: ${ended.map((member) => member.name).join(" ")}`);
  rmSync(filler);
  for (const member of arena.members) {
    if (member.isRunning && arena.random.below(2) === 0) await member.end("SIGKILL");
  }
  arena.startAll();
}

function fill(file: string): void {
  const piece = new Uint8Array(pieceBytes).fill(1);
  const fd = openSync(file, "w");
  try {
    for (;;) writeSync(fd, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
}
