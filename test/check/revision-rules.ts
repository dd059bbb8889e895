/**
 * G4 by itself, quick enough for any history: revisions never decrease, none is given twice, and
 * what writes gets a higher one than everything answered before its call.
 */

import { describe, type Operation } from "./history.ts";
import { isWrite } from "./kv-model.ts";

/** The violations, one text each. */
export function checkRevisions(operations: readonly Operation[]): string[] {
  const violations: string[] = [];
  const writers = new Map<number, Operation>();
  const answered = operations.filter((o) => o.response !== null);
  const byReturn = [...answered].sort((a, b) => a.returned - b.returned);
  const byCall = [...answered].sort((a, b) => a.call - b.call);
  let newest: Operation | null = null;
  let at = 0;
  for (const operation of byCall) {
    for (; at < byReturn.length && byReturn[at]!.returned < operation.call; at++) {
      const before = byReturn[at]!;
      if (newest === null || before.response!.revision > newest.response!.revision) newest = before;
    }
    const { revision } = operation.response!;
    const writes = isWrite(operation.response!);
    if (writes) {
      const other = writers.get(revision);
      if (other !== undefined) violations.push(`G4: twice: ${both(other, operation)}`);
      writers.set(revision, operation);
    }
    if (newest === null || isStaleAllowed(operation)) continue;
    const least = newest.response!.revision + (writes ? 1 : 0);
    if (revision < least) violations.push(`G4: went back: ${both(newest, operation)}`);
  }
  return violations;
}

function isStaleAllowed({ request }: Operation): boolean {
  return request.kind === "range" && request.isSerializable === true;
}

function both(a: Operation, b: Operation): string {
  return `${describe(a)} then ${describe(b)}`;
}
