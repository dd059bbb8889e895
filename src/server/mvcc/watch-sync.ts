import { toBinaryString } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import type { MvccEvent } from "./types.ts";
import { EventBatch } from "./watch-batch.ts";
import { SharedEvent } from "./watch-events.ts";
import { watchLimits } from "./watch-limits.ts";
import type { WatchableStore } from "./watchable-store.ts";
import { WatcherGroup } from "./watcher-group.ts";
import type { WatcherList } from "./watcher-group.ts";
import type { Watcher } from "./watcher.ts";

const historyLimits = { events: watchLimits.roundEventsMax, bytes: watchLimits.roundBytesMax };

/**
 * One bounded step of catching up: the watchers furthest behind read one common piece of history
 * (ordered as W1 asks, whole revisions as W4 asks), and each goes on where it then belongs. The
 * caller has dispatched every committed event.
 */
export function syncRound(store: WatchableStore): void {
  const round = chooseWatchers(store);
  const first = round[0];
  if (first === undefined) return;
  const from = first.nextRevision;
  const to = Math.min(store.source.currentRevision, from + watchLimits.roundRevisionsMax - 1);
  const outcome = store.source.history(from, to, historyLimits);
  assert("events" in outcome, "history below the compact revision was asked for");
  const group = new WatcherGroup();
  for (const watcher of round) group.add(watcher);
  const next = collect(group, outcome.events, outcome.next);
  for (const watcher of round) finish(store, group, watcher, next);
}

/** Takes from the unsynced heap; cancels those that need what is compacted (W5). */
function chooseWatchers(store: WatchableStore): Watcher[] {
  const { unsynced, source } = store;
  const chosen: Watcher[] = [];
  for (let seen = 0; seen < watchLimits.roundWatchersMax; seen++) {
    const watcher = unsynced.peek();
    if (watcher === undefined) break;
    const first = chosen[0] ?? watcher;
    if (watcher.nextRevision - first.nextRevision >= watchLimits.roundRevisionsMax) break;
    unsynced.remove(watcher);
    if (watcher.nextRevision < source.compactRevision) store.cancelCompacted(watcher);
    else if (watcher.stream.blocked) store.hold(watcher);
    else chosen.push(watcher);
  }
  return chosen;
}

/** Fills the lists' batches. Returns the first revision that was not looked at. */
function collect(group: WatcherGroup, events: readonly MvccEvent[], end: number): number {
  const lists: WatcherList[] = [];
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
      deliveries += list.watchers.length;
      list.batch ??= new EventBatch(watchLimits.responseBytesTarget);
      list.batch.add(shared);
    }
  }
  return end;
}

/** Sends what was collected and moves on (W2, W3); or, when its stream is full by now, holds it. */
function finish(store: WatchableStore, group: WatcherGroup, watcher: Watcher, next: number): void {
  const { stream, list } = watcher;
  group.remove(watcher);
  if (watcher.state === "ended") return; // its stream was closed by a response sent just before
  const portion = list?.batch?.portion(watcher.variant, watcher.nextRevision);
  if (portion !== undefined && portion.events.length > 0) {
    if (stream.blocked) {
      watcher.nextRevision = portion.firstRevision;
      store.hold(watcher);
      return;
    }
    if (!store.sender.send(watcher, portion)) stream.blocked = true;
  }
  const end = portion !== undefined && portion.stoppedAt > 0 ? portion.stoppedAt : next;
  watcher.nextRevision = Math.max(watcher.nextRevision, end);
  store.place(watcher);
}
