/**
 * Simulated time: events in a total order (time, then order of creation). An event belongs to a
 * life; when the life has ended, its events are dropped unseen.
 */

/** One run of a process, from its start to its crash. */
export interface Life {
  isAlive: boolean;
  /** The process stands still until then: its events wait. 0: it runs. */
  wakesAt: number;
  /** Runs after each event of this life: the end of its event-loop turn. */
  endTurn: () => void;
}

interface Event {
  at: number;
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
  /** Events that were run. */
  count = 0;
  /** Called after each event that ran, with the life it belongs to. */
  observe: (life: Life) => void = () => undefined;
  #order = 0;
  /** A binary heap by time, then by order of creation. */
  readonly #events: Event[] = [];

  after(delayMs: number, life: Life, run: () => void): { cancel(): void } {
    const event = { at: this.now + delayMs, order: this.#order++, life, run, isCancelled: false };
    this.#push(event);
    return {
      cancel(): void {
        event.isCancelled = true;
      },
    };
  }

  /** Runs the next event with its turn's end. False: there is none. A crash ends its life. */
  step(): boolean {
    const event = this.#pop();
    if (event === undefined) return false;
    const { life } = event;
    if (!life.isAlive || event.isCancelled) return true;
    this.now = Math.max(this.now, event.at); // work that takes time delays what follows
    if (life.wakesAt > this.now) {
      event.at = life.wakesAt;
      this.#push(event); // keeps its place among those that wait
      return true;
    }
    this.count++;
    try {
      event.run();
      life.endTurn();
    } catch (error) {
      if (!(error instanceof SimCrash)) throw error;
      life.isAlive = false;
    }
    this.observe(life);
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

  #push(event: Event): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  #pop(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= events.length) break;
      const right = child + 1;
      if (right < events.length && isBefore(events[right]!, events[child]!)) child = right;
      if (!isBefore(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
