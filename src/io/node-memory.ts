/** The process's memory: its limit, V8's share of it, and a warning before it runs out. */
import { totalmem } from "node:os";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/ports.ts";
import type { MemoryPlan } from "./memory-plan.ts";
import { planMemory } from "./memory-plan.ts";

interface MemoryLimit {
  readonly bytes: number;
  /** True when a container (cgroup) sets it and not the machine. */
  readonly isContainer: boolean;
}

/** What this process may use: the container's limit if there is one, else the machine's memory. */
function memoryLimit(): MemoryLimit {
  const total = totalmem();
  const constrained = process.constrainedMemory();
  // No limit shows as 0 or as a number beyond any machine.
  const isContainer = constrained > 0 && constrained < total;
  return { bytes: isContainer ? constrained : total, isContainer };
}

/** A choice of the user, by flag or NODE_OPTIONS, always wins. */
const isHeapChosen = /--max[-_]old[-_]space[-_]size|--max[-_]heap[-_]size/;

/**
 * V8 takes heap sizes only at its start: replaces this process by itself with them, unless it has
 * them. Same process id, same arguments, open files and signals; returns only when there is nothing
 * to do or the platform cannot.
 */
export function relaunchWithHeap(): void {
  const options = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" ");
  if (isHeapChosen.test(options) || process.platform === "win32") return;
  const plan = planMemory(memoryLimit().bytes);
  const flags = [
    `--max-old-space-size=${plan.oldSpaceMiB}`,
    `--max-semi-space-size=${plan.semiSpaceMiB}`,
  ];
  const [, script = "", ...args] = process.argv;
  process.execve?.(
    process.execPath,
    [process.execPath, ...process.execArgv, ...flags, script, ...args],
    process.env,
  );
}

/** Logs the plan in force, for whoever wonders where the memory goes. */
export function logMemoryPlan(log: Logger): MemoryPlan {
  const limit = memoryLimit();
  const plan = planMemory(limit.bytes);
  log.info("memory plan", {
    "limit-bytes": limit.bytes,
    "limit-by": limit.isContainer ? "container" : "machine",
    "heap-mib": plan.oldSpaceMiB,
    "young-half-mib": plan.semiSpaceMiB,
    "overlay-bytes-max": plan.overlayBytesMax,
    "node-flags": process.execArgv,
  });
  return plan;
}

const watchIntervalMs = 5_000;
const warnShare = 0.9;

/** Warns once each time the process comes near its limit: the kernel kills without a word. */
export function watchMemory(log: Logger, clock: Clock): void {
  const limit = memoryLimit().bytes;
  let isNear = false;
  const check = (): void => {
    const used = process.memoryUsage.rss();
    const nowNear = used > limit * warnShare;
    if (nowNear && !isNear) {
      log.warn("memory is nearly used up; raise the limit or reduce keys, watchers and leases", {
        "used-bytes": used,
        "limit-bytes": limit,
      });
    }
    isNear = nowNear;
    clock.after(watchIntervalMs, check);
  };
  clock.after(watchIntervalMs, check);
}
