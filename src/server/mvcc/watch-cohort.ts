/**
 * Watchers of one stream and one range, which move together: a stream that is full or behind costs
 * one cursor, not one per watcher.
 *
 * CO1  A watcher is in exactly one cohort, at watchers[index], until it ends; a cohort without
 *      watchers is in no group.
 * CO2  What a watcher still has to see begins at the later of its cohort's cursor and its own
 *      nextRevision, which is ahead only where it starts in the future, or was served when the
 *      stream became full before the rest was.
 */
import { assert } from "../../base/assert.ts";
import type { HeapItem } from "../../base/heap.ts";
import { watchLimits } from "./watch-limits.ts";
import type { EventBatch } from "./watch-batch.ts";
import type { WatchSender } from "./watch-sender.ts";
import type { Watcher, WatchStream } from "./watcher.ts";
import type { CohortList } from "./watcher-group.ts";

/**
 * synced    saw every revision the store has dispatched; gets events as they are committed
 * unsynced  behind: reads history from the cursor on
 * held      behind, and its stream is over its bound: keeps only the cursor
 * moving    taken out of one of these, in this turn
 */
export type CohortState = "synced" | "unsynced" | "held" | "moving";

export class Cohort implements HeapItem {
  readonly stream: WatchStream;
  /** Binary strings; end null = no end, end undefined = the single key. */
  readonly start: string;
  readonly end: string | null | undefined;
  readonly watchers: Watcher[] = [];
  state: CohortState = "moving";
  /** The cursor; while synced a lower bound only, as dispatching does not move it. */
  nextRevision: number;
  /** Place in its group's list. */
  list: CohortList | null = null;
  listIndex = 0;
  heapKey = 0;
  heapIndex = -1;

  constructor(
    stream: WatchStream,
    range: { readonly start: string; readonly end: string | null | undefined },
    nextRevision: number,
  ) {
    this.stream = stream;
    this.start = range.start;
    this.end = range.end;
    this.nextRevision = nextRevision;
  }

  add(watcher: Watcher): void {
    watcher.cohort = this;
    watcher.index = this.watchers.length;
    this.watchers.push(watcher);
  }

  /** CO1. */
  remove(watcher: Watcher): void {
    assert(this.watchers[watcher.index] === watcher, "watcher is not in its cohort");
    const last = this.watchers.pop()!;
    if (last !== watcher) {
      this.watchers[watcher.index] = last;
      last.index = watcher.index;
    }
    watcher.cohort = null;
  }

  /** Takes over all watchers of `other`, which stands where this one does. False: too many. */
  absorb(other: Cohort): boolean {
    const { watchers } = other;
    if (this.watchers.length + watchers.length > watchLimits.cohortWatchersMax) return false;
    for (const watcher of watchers) this.add(watcher);
    watchers.length = 0;
    return true;
  }

  /**
   * Gives each watcher its events of the batch below `end`. False when the stream was full before
   * all were served: the cursor then stands at the first revision somebody missed (W3, CO2).
   */
  serve(batch: EventBatch, end: number, sender: WatchSender): boolean {
    const { stream, watchers } = this;
    let at = 0;
    // A response may close the stream, which leaves the cohort without watchers.
    for (; at < watchers.length; at++) {
      const watcher = watchers[at]!;
      const next = Math.max(watcher.nextRevision, this.nextRevision);
      const portion = batch.portion(watcher.variant, next, end);
      if (portion.events.length === 0) continue;
      if (stream.blocked) break;
      if (!sender.send(watcher, portion)) stream.blocked = true;
    }
    if (at >= watchers.length) return true;
    for (let i = 0; i < at; i++) {
      const watcher = watchers[i]!;
      watcher.nextRevision = Math.max(watcher.nextRevision, end); // W2
    }
    this.nextRevision = batch.firstFrom(this.nextRevision);
    return false;
  }
}
