/** Time as the client's long-lived parts (watches, renewals) see it; tests bring their own. */
export interface ClientClock {
  /** Monotonic milliseconds, fractional. */
  now(): number;
  /** Runs once after `delayMs` unless cancelled. Keeps the process alive until then. */
  after(delayMs: number, run: () => void): { cancel(): void };
}

/** Longest delay a timer of Node takes; a longer one would fire at once. */
const delayMsMax = 2 ** 31 - 1;

export const systemClock: ClientClock = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.ceil(delayMs), delayMsMax));
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
};

/** Until the time is over (Infinity: never, and no timer runs) or the signal fires. */
export function pause(delayMs: number, clock: ClientClock, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      timer?.cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = delayMs === Infinity ? null : clock.after(delayMs, done);
    signal.addEventListener("abort", done);
  });
}
