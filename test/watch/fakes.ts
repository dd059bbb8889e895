import type { Clock, Random, Timer, Turn } from "../../src/base/ports.ts";

interface Entry {
  at: number;
  order: number;
  run: () => void;
}

/** Time that moves only when told to. */
export class FakeClock implements Clock {
  private time = 0;
  private order = 0;
  private readonly entries: Entry[] = [];

  now(): number {
    return this.time;
  }

  wall(): number {
    return 1_700_000_000_000 + this.time;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = { at: this.time + delayMs, order: this.order++, run };
    this.entries.push(entry);
    return {
      cancel: () => {
        const at = this.entries.indexOf(entry);
        if (at >= 0) this.entries.splice(at, 1);
      },
    };
  }

  get timers(): number {
    return this.entries.length;
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      this.entries.sort((a, b) => a.at - b.at || a.order - b.order);
      const entry = this.entries[0];
      if (entry === undefined || entry.at > end) break;
      this.entries.shift();
      this.time = Math.max(this.time, entry.at);
      entry.run();
    }
    this.time = end;
  }
}

/** Turns that happen only when told to. */
export class FakeTurn implements Turn {
  private ends: (() => void)[] = [];
  private nexts: (() => void)[] = [];

  atEnd(run: () => void): void {
    this.ends.push(run);
  }

  atFlush(run: () => void): void {
    this.ends.push(run);
  }

  next(run: () => void): void {
    this.nexts.push(run);
  }

  /** Ends the current turn and runs the next one. False when nothing was waiting. */
  step(): boolean {
    if (this.ends.length === 0 && this.nexts.length === 0) return false;
    this.flush();
    const nexts = this.nexts;
    this.nexts = [];
    for (const run of nexts) run();
    this.flush();
    return true;
  }

  /** Turns until nothing is waiting. Throws when that takes more than `turnsMax`. */
  drain(turnsMax = 10_000): number {
    let turns = 0;
    while (this.step()) {
      if (++turns > turnsMax) throw new Error("turns never end");
    }
    return turns;
  }

  private flush(): void {
    while (this.ends.length > 0) {
      const ends = this.ends;
      this.ends = [];
      for (const run of ends) run();
    }
  }
}

/** Small seeded generator (mulberry32). */
export class FakeRandom implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(n: number): number {
    return this.u32() % n;
  }

  fork(label: string): Random {
    return new FakeRandom(this.state ^ (label.length * 7919));
  }
}
