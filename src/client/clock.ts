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
