/** Figures of the running process, for the metrics. */
import { readdirSync, readFileSync } from "node:fs";

function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length - 1; // the listing itself is one
  } catch {
    return 0; // no /proc on this platform
  }
}

function openFilesMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export const nodeProcessStats = {
  residentBytes: (): number => process.memoryUsage.rss(),
  cpuSeconds: (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  startTime: (): number => performance.timeOrigin / 1000,
  openFiles,
  openFilesMax,
  heapUsedBytes: (): number => process.memoryUsage().heapUsed,
};
