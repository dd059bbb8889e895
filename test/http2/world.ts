/** Ports for transport tests: the real clock, and a turn on the real event loop. */
import type { Logger } from "../../src/base/log.ts";
import type { Clock, Turn } from "../../src/base/ports.ts";

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
};

/** Runs what was registered at the end of the poll phase. */
export function createRealTurn(): Turn {
  let waiting: (() => void)[] = [];
  let flushes: (() => void)[] = [];
  let isSet = false;
  const runAll = (): void => {
    isSet = false;
    for (let ended = 0, flushed = 0; ;) {
      while (ended < waiting.length) waiting[ended++]!();
      if (flushed === flushes.length) break;
      flushes[flushed++]!();
    }
    waiting = [];
    flushes = [];
  };
  const schedule = (): void => {
    if (isSet) return;
    isSet = true;
    setImmediate(runAll);
  };
  return {
    atEnd: (run) => {
      waiting.push(run);
      schedule();
    },
    atFlush: (run) => {
      flushes.push(run);
      schedule();
    },
    next: (run) => {
      setImmediate(run);
    },
  };
}

export const quietLog: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: (message) => {
    throw new Error(message);
  },
};
