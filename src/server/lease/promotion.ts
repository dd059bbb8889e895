import type { Lease } from "./lease.ts";

/** Leases that get their expiry time in one turn: about 2 ms. */
const leasesPerStep = 2000;

/**
 * Gives every lease its time of expiry after this member became leader, in steps over turns.
 *
 * PR1  A lease without a time does not expire. One that got its time meanwhile, by a renewal or as
 *      a new grant, keeps it.
 * PR2  All times count from the promotion, whenever their step comes.
 */
export class Promotion {
  readonly #leases: Iterator<Lease>;
  readonly #spread: ExpirySpread;
  /** Clock time of the promotion plus the extension, in milliseconds. */
  readonly #base: number;

  /** @param base clock time, in milliseconds, from which full TTLs count */
  constructor(leases: Iterable<Lease>, base: number, perSecondMax: number) {
    this.#leases = leases[Symbol.iterator]();
    this.#base = base;
    this.#spread = new ExpirySpread(perSecondMax);
  }

  /** When the lease expires at the earliest. */
  dueAt(lease: Lease): number {
    const ttl = lease.remainingTtl > 0 ? lease.remainingTtl : lease.ttl;
    return this.#base + ttl * 1000; // PR2
  }

  /** Hands the next leases to `timed`, their expiresAt set. True when there are no more. */
  step(timed: (lease: Lease) => void): boolean {
    for (let count = 0; count < leasesPerStep; count++) {
      const next = this.#leases.next();
      if (next.done === true) return true;
      const lease = next.value;
      if (lease.expiresAt !== Infinity) continue; // PR1
      lease.expiresAt = this.#spread.place(this.dueAt(lease));
      timed(lease);
    }
    return false;
  }
}

/**
 * After a promotion many leases end in the same second. Those beyond the bound of a second are
 * moved to the next one with room, so that leases which really end are still revoked in time.
 */
class ExpirySpread {
  readonly #perSecondMax: number;
  readonly #counts = new Map<number, number>();
  /** Of a full second: a later one with nothing but full seconds between. */
  readonly #later = new Map<number, number>();

  constructor(perSecondMax: number) {
    this.#perSecondMax = perSecondMax;
  }

  place(at: number): number {
    const own = Math.floor(at / 1000);
    const second = this.#withRoom(own);
    const count = (this.#counts.get(second) ?? 0) + 1;
    this.#counts.set(second, count);
    return second === own ? at : 1000 * (second + count / this.#perSecondMax);
  }

  #withRoom(own: number): number {
    let second = own;
    while ((this.#counts.get(second) ?? 0) >= this.#perSecondMax) {
      second = this.#later.get(second) ?? second + 1;
    }
    for (let passed = own; passed !== second;) {
      const next = this.#later.get(passed) ?? passed + 1;
      this.#later.set(passed, second);
      passed = next;
    }
    return second;
  }
}
