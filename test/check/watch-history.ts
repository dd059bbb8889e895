/** W1 to W7 for a whole history: the rules of one watch applied to all, against what happened. */

import { checkWatch, type TrueEvent, type WatchRecord } from "../model/watch-rules.ts";
import type { Kv } from "./history.ts";

/** One change of one member's history, in the order of revision and sub-revision. */
export interface Change {
  readonly revision: number;
  readonly kv: Pick<Kv, "key" | "value">;
  readonly isDelete: boolean;
}

/** With what every key held before. `changes` begin with the first revision. */
export function truthOf(changes: readonly Change[]): TrueEvent[] {
  const live = new Map<string, string>();
  return changes.map(({ revision, kv, isDelete }) => {
    const { key } = kv;
    const value = isDelete ? "" : kv.value;
    const event = { revision, key, isDelete, value, prev: live.get(key) ?? null };
    if (isDelete) live.delete(key);
    else live.set(key, value);
    return event;
  });
}

/** `settledRevision`: every open watch was given time to see up to here; 0 = unknown. */
export function checkWatches(
  watches: readonly WatchRecord[],
  changes: readonly Change[],
  bounds: { readonly compactRevision: number; readonly settledRevision: number },
): string[] {
  const truth = { events: truthOf(changes), ...bounds };
  return watches.flatMap((watch) => checkWatch(truth, watch));
}
