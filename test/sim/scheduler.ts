/**
 * Simulated time: events in a total order (time, then order of creation). An event belongs to a
 * life; when the life has ended, its events are dropped unseen.
 */

/** One run of a process, from its start to its crash. */
export interface Life {
  isAlive: boolean;
  /** Runs after each event of this life: the end of its event-loop turn. */
  endTurn: () => void;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly life: Life;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Thrown out of a simulated operation to end the process at that very point. */
export class SimCrash extends Error {
  override readonly name = "SimCrash";
}

export class Scheduler {
  now = 0;
  #order = 0;
  #events: Event[] = [];

  after(delayMs: number, life: Life, run: () => void): { cancel(): void } {
    const event = { at: this.now + delayMs, order: this.#order++, life, run, isCancelled: false };
    this.#insert(event);
    return {
      cancel(): void {
        event.isCancelled = true;
      },
    };
  }

  /** Runs the next event with its turn's end. False: there is none. A crash ends its life. */
  step(): boolean {
    const event = this.#events.shift();
    if (event === undefined) return false;
    if (!event.life.isAlive || event.isCancelled) return true;
    this.now = Math.max(this.now, event.at); // work that takes time delays what follows
    try {
      event.run();
      event.life.endTurn();
    } catch (error) {
      if (!(error instanceof SimCrash)) throw error;
      event.life.isAlive = false;
    }
    return true;
  }

  /** Runs until `isDone`, or until time (a minute) or events run out; tells if it came true. */
  runUntil(isDone: () => boolean, untilMs = this.now + 60_000): boolean {
    while (!isDone()) {
      const next = this.#events[0];
      if (next === undefined || next.at > untilMs) return false;
      this.step();
    }
    return true;
  }

  #insert(event: Event): void {
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1]!.at > event.at) at--;
    this.#events.splice(at, 0, event);
  }
}
