import { toBinaryString } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import type { MvccEvent } from "./types.ts";
import { EventBatch } from "./watch-batch.ts";
import { SharedEvent } from "./watch-events.ts";
import { watchLimits } from "./watch-limits.ts";
import type { WatchableStore } from "./watchable-store.ts";
import { WatcherGroup } from "./watcher-group.ts";
import type { CohortList } from "./watcher-group.ts";
import type { Cohort } from "./watch-cohort.ts";

const historyLimits = { events: watchLimits.roundEventsMax, bytes: watchLimits.roundBytesMax };

/**
 * One bounded step of catching up: the cohorts furthest behind read one common piece of history
 * (ordered as W1 asks, whole revisions as W4 asks), and each goes on where it then belongs. The
 * caller has dispatched every committed event.
 */
export function syncRound(store: WatchableStore): void {
  const round = chooseCohorts(store);
  const first = round[0];
  if (first === undefined) return;
  const from = first.nextRevision;
  const to = Math.min(store.source.currentRevision, from + watchLimits.roundRevisionsMax - 1);
  const outcome = store.source.history(from, to, historyLimits);
  assert("events" in outcome, "history below the compact revision was asked for");
  const group = new WatcherGroup();
  for (const cohort of round) group.add(cohort);
  const next = collect(group, outcome.events, outcome.next);
  for (const cohort of round) finish(store, group, cohort, next);
}

/** Takes from the unsynced heap; cancels those that need what is compacted (W5). */
function chooseCohorts(store: WatchableStore): Cohort[] {
  const { source } = store;
  const chosen: Cohort[] = [];
  for (let watchers = 0; watchers < watchLimits.roundWatchersMax;) {
    const cohort = store.unsynced.peek();
    if (cohort === undefined) break;
    const first = chosen[0] ?? cohort;
    if (cohort.nextRevision - first.nextRevision >= watchLimits.roundRevisionsMax) break;
    watchers += cohort.watchers.length;
    if (watchers > watchLimits.roundWatchersMax && chosen.length > 0) break;
    store.takeUnsynced(cohort);
    if (cohort.nextRevision < source.compactRevision) store.cancelCompacted(cohort);
    if (cohort.watchers.length === 0) continue;
    if (cohort.stream.blocked) store.hold(cohort);
    else chosen.push(cohort);
  }
  return chosen;
}

/** Fills the lists' batches. Returns the first revision that was not looked at. */
function collect(group: WatcherGroup, events: readonly MvccEvent[], end: number): number {
  const lists: CohortList[] = [];
  let deliveries = 0;
  let revision = 0;
  for (const event of events) {
    if (event.modRevision !== revision) {
      revision = event.modRevision;
      if (deliveries >= watchLimits.roundDeliveriesMax) return revision;
    }
    lists.length = 0;
    group.match(toBinaryString(event.key), lists);
    if (lists.length === 0) continue;
    const shared = new SharedEvent(event);
    for (const list of lists) {
      for (const { watchers } of list.cohorts) deliveries += watchers.length;
      list.batch ??= new EventBatch();
      list.batch.add(shared);
    }
  }
  return end;
}

/** Sends what was collected and moves on (W2, W3); or, when its stream is full by now, holds it. */
function finish(store: WatchableStore, group: WatcherGroup, cohort: Cohort, next: number): void {
  const batch = cohort.list?.batch ?? null;
  group.remove(cohort);
  let end = next;
  if (batch !== null) {
    end = batch.endFor(cohort.nextRevision, next, watchLimits.responseBytesTarget);
    if (!cohort.serve(batch, end, store.sender)) {
      store.hold(cohort);
      return;
    }
  }
  if (cohort.watchers.length === 0) return; // its stream was closed by a response
  cohort.nextRevision = Math.max(cohort.nextRevision, end);
  store.place(cohort);
}
