import type { Clock } from "../../src/base/ports.ts";

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that jumps to the next timer in every turn of the event loop, whatever its delay. */
export function createQuickClock(): Clock {
  let now = 0;
  let order = 0;
  const waiting: Waiting[] = [];
  const fire = (): void => {
    const next = waiting.shift();
    if (next === undefined) return;
    now = next.at;
    next.run();
  };
  return {
    now: () => now,
    wall: () => now,
    after(delayMs, run) {
      const timer = { at: now + delayMs, order: order++, run };
      waiting.push(timer);
      waiting.sort((a, b) => a.at - b.at || a.order - b.order);
      setImmediate(fire);
      return {
        cancel() {
          const at = waiting.indexOf(timer);
          if (at !== -1) waiting.splice(at, 1);
        },
      };
    },
  };
}
