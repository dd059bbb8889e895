import type { Turn } from "../../src/base/ports.ts";
import type { Life, Scheduler } from "./scheduler.ts";

/** A new life of a process, with the turns of its event loop. */
export function createLife(scheduler: Scheduler): { life: Life; turn: Turn } {
  let ending: (() => void)[] = [];
  const life: Life = {
    isAlive: true,
    wakesAt: 0,
    endTurn(): void {
      for (let i = 0; i < ending.length; i++) ending[i]!(); // grows while it runs
      ending = [];
    },
  };
  const turn: Turn = {
    atEnd(run): void {
      ending.push(run);
    },
    atFlush(run): void {
      ending.push(run);
    },
    next(run): void {
      scheduler.after(0, life, run);
    },
  };
  return { life, turn };
}
