import type { Clock } from "../../src/base/ports.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** How a process's clocks differ from the world's time. */
export interface ClockDrift {
  /** Milliseconds that pass here while one passes in the world. */
  rate: number;
  /** Wall clock at the world's time 0; changes when somebody sets the clock. */
  wallAtZeroMs: number;
}

/** A clock that shows the scheduler's time. */
export function createSimClock(
  scheduler: Scheduler,
  life: Life,
  drift: ClockDrift = { rate: 1, wallAtZeroMs: 1.6e12 },
): Clock {
  return {
    now: () => scheduler.now * drift.rate,
    wall: () => drift.wallAtZeroMs + scheduler.now * drift.rate,
    after: (delayMs, run) => scheduler.after(delayMs / drift.rate, life, run),
  };
}
