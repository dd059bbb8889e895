/** Time and event-loop turns of the running process. */
import type { Histogram } from "../base/metrics.ts";
import type { Clock, Timer, Turn } from "../base/ports.ts";

/** @param turn told of each timer that runs, so that its work is measured as part of a turn */
export function createNodeClock(turn: { begin(): void } | null = null): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(delayMs, run): Timer {
      const timer = setTimeout(() => {
        turn?.begin();
        run();
      }, delayMs);
      timer.unref();
      return {
        cancel: () => {
          clearTimeout(timer);
        },
      };
    },
  };
}

/**
 * TU1  Everything given to atEnd in a turn runs in that turn, in order of registration, also what
 *      is registered while it runs.
 *      What is given to atFlush runs when nothing of that is left.
 * TU2  What is given to next runs after the loop has polled for input once more.
 * TU3  A turn is measured from its first timer or piece of work to its end: what came before is the
 *      first input's reading.
 */
class NodeTurn implements Turn {
  #atEnd: (() => void)[] = [];
  #atFlush: (() => void)[] = [];
  /** Registered before this turn's check phase: their poll is still to come. */
  #next: (() => void)[] = [];
  /** Run as the first thing of the next check phase. */
  #due: (() => void)[] = [];
  #isScheduled = false;
  #isRunning = false;
  readonly #seconds: Histogram | null;
  #startedAt = 0;
  readonly #check = (): void => {
    this.#runTurn();
  };

  constructor(seconds: Histogram | null) {
    this.#seconds = seconds;
  }

  /** Work of this turn begins (TU3). */
  begin(): void {
    this.#schedule();
  }

  atEnd(run: () => void): void {
    this.#atEnd.push(run);
    this.#schedule();
  }

  atFlush(run: () => void): void {
    this.#atFlush.push(run);
    this.#schedule();
  }

  next(run: () => void): void {
    (this.#isRunning ? this.#due : this.#next).push(run);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isRunning) return;
    this.#isScheduled = true;
    if (this.#seconds !== null) this.#startedAt = performance.now();
    setImmediate(this.#check);
  }

  #runTurn(): void {
    const due = this.#due;
    this.#due = this.#next; // they have this phase behind them, and the next poll before them: TU2
    this.#next = [];
    this.#isScheduled = false;
    this.#isRunning = true;
    try {
      for (const run of due) run();
      this.#runEnd();
    } finally {
      this.#atEnd = [];
      this.#atFlush = [];
      this.#isRunning = false;
      this.#seconds?.observe((performance.now() - this.#startedAt) / 1000); // TU3
      if (this.#due.length > 0) this.#schedule();
    }
  }

  /** TU1: both lists grow while they run. */
  #runEnd(): void {
    let ended = 0;
    let flushed = 0;
    for (;;) {
      while (ended < this.#atEnd.length) this.#atEnd[ended++]!();
      if (flushed === this.#atFlush.length) return;
      this.#atFlush[flushed++]!();
    }
  }
}

/** @param seconds told how long each turn was busy */
export function createNodeTurn(seconds: Histogram | null = null): Turn & { begin(): void } {
  return new NodeTurn(seconds);
}
