import { IndexedHeap } from "../../base/heap.ts";
import type { Lease } from "./lease.ts";

/**
 * Leases by the time to look at them next.
 *
 * EQ1  Every lease in the queue has heapKey <= its expiresAt, or waits for its retry after having
 *      been handed out as expired. So no lease is looked at later than it expires.
 * EQ2  Renewing moves nothing: only a lease that reaches the front is put back at its new time.
 */
export class ExpiryQueue {
  private readonly heap = new IndexedHeap<Lease>();

  get size(): number {
    return this.heap.size;
  }

  /** The lease's expiresAt was set. Cheap when it moved later, which renewals do (EQ2). */
  update(lease: Lease): void {
    if (lease.heapIndex >= 0 && lease.heapKey <= lease.expiresAt) return;
    this.heap.set(lease, lease.expiresAt);
  }

  remove(lease: Lease): void {
    this.heap.remove(lease);
  }

  clear(): void {
    this.heap.clear();
  }

  /**
   * Appends up to `countMax` leases that expired at or before `now` to `out`; each comes again
   * after `retryMs` unless it is removed or renewed meanwhile.
   */
  takeExpired(now: number, countMax: number, retryMs: number, out: Lease[]): void {
    for (let taken = 0; taken < countMax;) {
      const lease = this.heap.peek();
      if (lease === undefined || lease.heapKey > now) return;
      if (lease.expiresAt > now) {
        this.heap.set(lease, lease.expiresAt);
      } else {
        this.heap.set(lease, now + retryMs);
        out.push(lease);
        taken++;
      }
    }
  }
}
