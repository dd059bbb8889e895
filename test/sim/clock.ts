import type { Clock } from "../../src/base/ports.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** A clock that shows the scheduler's time. */
export function createSimClock(scheduler: Scheduler, life: Life, wallAtZeroMs = 1.6e12): Clock {
  return {
    now: () => scheduler.now,
    wall: () => wallAtZeroMs + scheduler.now,
    after: (delayMs, run) => scheduler.after(delayMs, life, run),
  };
}
