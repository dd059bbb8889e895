import type { HeapItem } from "../../base/heap.ts";

/** Waits for the end of a lease that was already past its expiry when it was to be renewed. */
export interface RenewWaiter {
  /**
   * Called once: the lease is gone ("missing"), or this member no longer decides ("notPrimary").
   */
  renewEnded(id: bigint, outcome: "missing" | "notPrimary"): void;
}

/** One lease. Times are monotonic milliseconds of this member's clock. */
export class Lease implements HeapItem {
  readonly id: bigint;
  /** Granted time to live, seconds. */
  readonly ttl: number;
  /** From the last checkpoint, seconds; 0 = none. */
  remainingTtl = 0;
  /** A checkpoint of it may be in the log: applied or on its way. */
  isCheckpointed = false;
  /** The clearing of its checkpoint is on its way into the log. */
  isClearing = false;
  /** Infinity while this member is not the primary. */
  expiresAt = Infinity;
  /** Attached keys as binary strings; null when none ever was. */
  keys: Set<string> | null = null;
  waiters: RenewWaiter[] | null = null;
  heapKey = 0;
  heapIndex = -1;

  constructor(id: bigint, ttl: number) {
    this.id = id;
    this.ttl = ttl;
  }
}
