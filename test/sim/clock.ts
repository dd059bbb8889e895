import type { Clock } from "../../src/base/ports.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** How a process's clocks differ from the world's time. */
export class ClockDrift {
  /** Wall clock minus monotonic one; changes when somebody sets the clock. */
  wallOffsetMs = 1.6e12;
  #rate = 1;
  #offsetMs = 0;

  /** Milliseconds that pass here while one passes in the world. */
  get rate(): number {
    return this.#rate;
  }

  /** Goes on from where the clock is: it is monotonic. */
  setRate(rate: number, worldMs: number): void {
    this.#offsetMs += worldMs * (this.#rate - rate);
    this.#rate = rate;
  }

  at(worldMs: number): number {
    return this.#offsetMs + worldMs * this.#rate;
  }
}

/** A clock that shows the scheduler's time. */
export function createSimClock(
  scheduler: Scheduler,
  life: Life,
  drift: ClockDrift = new ClockDrift(),
): Clock {
  return {
    now: () => drift.at(scheduler.now),
    wall: () => drift.wallOffsetMs + drift.at(scheduler.now),
    after: (delayMs, run) => scheduler.after(delayMs / drift.rate, life, run),
  };
}
