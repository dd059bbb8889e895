/**
 * L1 to L3 as the owners of leases see them. (test/model/lease-rules.ts judges one member's lessor
 * from inside.) Times are of one clock that no fault touches; `clockRate` bounds how much faster or
 * slower the members' clocks run.
 *
 * L1  A lease is there for its whole TTL since the call of the last grant or renewal that was
 *     answered, unless its owner asked for its end.
 * L2  A lease is gone in bounded time after the last answer of a grant or renewal that may have
 *     prolonged it.
 * L3  A renewal is not answered with success after somebody saw that the lease is gone.
 */

import type { LeaseEvent, LeaseHistory } from "./history.ts";

export interface LeaseBounds {
  /** Allowed lateness of an end, milliseconds: elections, overload. */
  readonly lateMsMax: number;
  /** A member's clock runs at most this factor faster or slower than the history's. >= 1. */
  readonly clockRate: number;
}

/** The violations, one text each. Events are in order of their `at`, the end of the call. */
export function checkLease(lease: LeaseHistory, bounds: LeaseBounds): string[] {
  const violations: string[] = [];
  const fail = (rule: string, text: string): void => {
    violations.push(`${rule}: lease ${lease.id}: ${text}`);
  };
  let aliveUntil = -Infinity;
  let goneAfter = Infinity;
  let isEnding = false;
  let goneSince = Infinity;
  for (const event of lease.events) {
    switch (event.kind) {
      case "granted":
      case "renewed":
        if (event.call > goneSince)
          fail("L3", `${event.kind} at ${event.at}, gone since ${goneSince}`);
        aliveUntil = Math.max(aliveUntil, event.call + event.ttlMs / bounds.clockRate);
        goneAfter = event.at + event.ttlMs * bounds.clockRate + bounds.lateMsMax;
        break;
      case "lost":
        goneAfter = Infinity;
        break;
      case "revoking":
        isEnding = true;
        break;
      case "missing":
        if (!isEnding && event.at < aliveUntil)
          fail("L1", `missing at ${event.at}, due ${aliveUntil}`);
        goneSince = Math.min(goneSince, event.at);
        break;
      case "present":
        checkPresent(event, goneAfter, goneSince, fail);
        break;
    }
  }
  return violations;
}

function checkPresent(
  event: LeaseEvent,
  goneAfter: number,
  goneSince: number,
  fail: (rule: string, text: string) => void,
): void {
  if (event.call > goneAfter) fail("L2", `present at ${event.call}, due to end ${goneAfter}`);
  if (event.call > goneSince) fail("L3", `present at ${event.call}, gone since ${goneSince}`);
}

export function checkLeases(leases: readonly LeaseHistory[], bounds: LeaseBounds): string[] {
  return leases.flatMap((lease) => checkLease(lease, bounds));
}
