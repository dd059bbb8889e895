// What the kernel says of a process.
import { readFileSync } from "node:fs";

const ticksPerSecond = 100; // USER_HZ
const userField = 11; // counted after the command name
const systemField = 12;

/** User and system time of all threads, in microseconds. */
export function cpuUs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[userField]) + Number(fields[systemField])) / ticksPerSecond) * 1e6;
}

export interface Memory {
  readonly rssBytes: number;
  /** Without mapped files: LMDB's map counts into rssBytes when it was read. */
  readonly anonBytes: number;
}

export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? "0") * 1_024;
  return { rssBytes: read("VmRSS"), anonBytes: read("RssAnon") };
}
