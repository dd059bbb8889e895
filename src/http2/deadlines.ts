/**
 * Deadlines of calls: nearly all are taken back long before they pass, so setting and clearing one
 * costs a link in a list, and one timer serves all of them. A deadline passes up to `slotMs` late.
 */
import type { Clock, Timer } from "../base/ports.ts";

const slotMs = 16;
const slotCount = 512;

/** What can have a deadline: the links belong to the wheel. */
export interface Expiring {
  /** Clock time; 0 = none set. */
  deadlineAt: number;
  deadlineNext: Expiring | null;
  deadlinePrevious: Expiring | null;
  expire(): void;
}

export class Deadlines {
  private readonly heads: (Expiring | null)[] = new Array<Expiring | null>(slotCount).fill(null);
  private readonly clock: Clock;
  private count = 0;
  /** The slot number (time / slotMs) up to which all deadlines have been looked at. */
  private doneSlot = 0;
  private timer: Timer | null = null;
  private timerSlot = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `timeoutMs` > 0. */
  set(item: Expiring, timeoutMs: number): void {
    const now = this.clock.now();
    item.deadlineAt = now + timeoutMs;
    if (this.count === 0) this.doneSlot = Math.floor(now / slotMs);
    this.count++;
    const number = slotOf(item.deadlineAt);
    const slot = number % slotCount;
    const head = this.heads[slot] ?? null;
    item.deadlineNext = head;
    item.deadlinePrevious = null;
    if (head !== null) head.deadlinePrevious = item;
    this.heads[slot] = item;
    if (this.timer === null || number < this.timerSlot) this.arm(number, now);
  }

  clear(item: Expiring): void {
    if (item.deadlineAt === 0) return;
    const slot = slotOf(item.deadlineAt) % slotCount;
    item.deadlineAt = 0;
    this.count--;
    const next = item.deadlineNext;
    const previous = item.deadlinePrevious;
    if (next !== null) next.deadlinePrevious = previous;
    if (previous !== null) previous.deadlineNext = next;
    else this.heads[slot] = next;
    item.deadlineNext = null;
    item.deadlinePrevious = null;
  }

  private arm(slotNumber: number, now: number): void {
    this.timer?.cancel();
    this.timerSlot = slotNumber;
    this.timer = this.clock.after(Math.max(0, slotNumber * slotMs - now), () => {
      this.timer = null;
      this.run();
    });
  }

  private run(): void {
    const now = this.clock.now();
    const last = Math.floor(now / slotMs);
    const first = Math.max(this.doneSlot + 1, last - slotCount + 1);
    this.doneSlot = last;
    for (let number = first; number <= last; number++) {
      this.expireSlot(number % slotCount, now);
    }
    if (this.count > 0 && this.timer === null) this.arm(this.nextSlot(last), now);
  }

  private expireSlot(slot: number, now: number): void {
    const due: Expiring[] = [];
    for (let item = this.heads[slot] ?? null; item !== null; item = item.deadlineNext) {
      if (item.deadlineAt <= now) due.push(item);
    }
    for (const item of due) {
      if (item.deadlineAt === 0) continue; // cleared by one before it
      this.clear(item);
      item.expire();
    }
  }

  /** The next slot with anything in it, maybe only for a later round. */
  private nextSlot(last: number): number {
    for (let number = last + 1; number < last + slotCount; number++) {
      if (this.heads[number % slotCount] !== null) return number;
    }
    return last + slotCount;
  }
}

/** The first slot that starts at or after the deadline. */
function slotOf(deadlineAt: number): number {
  return Math.ceil(deadlineAt / slotMs);
}
