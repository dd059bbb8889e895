/**
 * The calls under way and their ends: one timer for all deadlines instead of one per call.
 *
 * AC1  While a call is under way a timer is set, no later than the earliest deadline. It also keeps
 *      the process alive while calls only wait for a connection.
 * AC2  Without calls there is no timer.
 */
import type { ClientClock } from "./clock.ts";

export interface ActiveCall {
  /** When `due` wants to be called, by the clock; Infinity: never. */
  readonly dueAt: number;
  due(now: number): void;
  /** The client closes: ends the call. */
  abandon(): void;
}

/** Longest time between two looks at the deadlines. */
const lookMsMax = 60_000;

export class ActiveCalls {
  readonly #clock: ClientClock;
  readonly #calls = new Set<ActiveCall>();
  #timer: { cancel(): void } | null = null;
  #timerAt = Infinity;

  constructor(clock: ClientClock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#calls.size;
  }

  add(call: ActiveCall): void {
    this.#calls.add(call);
    if (call.dueAt < this.#timerAt || this.#timer === null) this.#arm(call.dueAt);
  }

  /** The call's `dueAt` changed. */
  changed(call: ActiveCall): void {
    if (call.dueAt < this.#timerAt) this.#arm(call.dueAt);
  }

  delete(call: ActiveCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#disarm(); // AC2
  }

  close(): void {
    for (const call of [...this.#calls]) call.abandon();
    this.#calls.clear();
    this.#disarm();
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    const now = this.#clock.now();
    this.#timerAt = Math.min(at, now + lookMsMax);
    this.#timer = this.#clock.after(Math.max(0, this.#timerAt - now), () => this.#look());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  #look(): void {
    this.#timer = null;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    for (const call of [...this.#calls]) if (call.dueAt <= now) call.due(now);
    let next = Infinity;
    for (const { dueAt } of this.#calls) next = Math.min(next, dueAt);
    if (this.#calls.size > 0) this.#arm(next);
  }
}
