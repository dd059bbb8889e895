// Fills the disk of one member, a small one of memory of its own, and makes room again.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Arena } from "./arena.ts";
import { methods } from "./connection.ts";

const diskBytes = 1 << 29;
const defragmentMsMax = 5_000;
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

/**
 * The first member is the one with that disk. It may end by itself, as it may be unable to go on;
 * half of the time it is killed and has to start on the full disk.
 */
export async function fillDisk(arena: Arena, secondsMax: number): Promise<void> {
  const victim = arena.members[0];
  if (victim === undefined) return;
  const folder = join(victim.folder, "..");
  const filler = join(folder, "filler");
  victim.allowEnd();
  fill(filler);
  const known = victim.log().length;
  await arena.connection(victim).call(methods.defragment, {}, defragmentMsMax); // needs room
  if (arena.random.below(2) === 0) {
    await victim.end("SIGKILL");
    victim.spawn();
    victim.allowEnd();
    arena.tell(`${victim.name} is started on a full disk`);
  }
  await delay(1_000 + arena.random.below(Math.max(1, Math.floor(secondsMax * 1_000) - 1_000)));
  const isFelt = /no space left|ENOSPC/i.test(victim.log().slice(known));
  const how = victim.isRunning ? "runs" : "has ended";
  if (isFelt) arena.mark("disk-full", `${victim.name} ${how}`);
  rmSync(filler);
  if (victim.isRunning && arena.random.below(2) === 0) await victim.end("SIGKILL");
  if (!victim.isRunning) await victim.start();
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
