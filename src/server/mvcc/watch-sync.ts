import { toBinaryString } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import type { MvccEvent } from "./types.ts";
import { SharedEvent } from "./watch-events.ts";
import { watchLimits } from "./watch-limits.ts";
import type { WatchableStore } from "./watchable-store.ts";
import { WatcherGroup } from "./watcher-group.ts";
import type { WatcherList } from "./watcher-group.ts";
import { wants } from "./watcher.ts";
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
  store.sender.forget();
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

/** Fills the pending lists. Returns the first revision that was not looked at. */
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
    for (const { watchers } of lists) {
      deliveries += watchers.length;
      for (const watcher of watchers) if (wants(watcher, event)) add(watcher, shared);
    }
  }
  return end;
}

function add(watcher: Watcher, shared: SharedEvent): void {
  if (watcher.stoppedAt > 0) return;
  const { modRevision, kv } = shared.event;
  if (watcher.pendingBytes >= watchLimits.responseBytesTarget) {
    const last = watcher.pending[watcher.pending.length - 1]!;
    if (last.event.modRevision < modRevision) {
      watcher.stoppedAt = modRevision;
      return;
    }
  }
  watcher.pending.push(shared);
  watcher.pendingBytes += kv.length;
}

/** Sends what was collected and moves on (W2, W3); or, when its stream is full by now, holds it. */
function finish(store: WatchableStore, group: WatcherGroup, watcher: Watcher, next: number): void {
  const { stream } = watcher;
  const end = watcher.stoppedAt > 0 ? watcher.stoppedAt : next;
  watcher.stoppedAt = 0;
  watcher.pendingBytes = 0;
  group.remove(watcher);
  if (watcher.state === "ended") {
    watcher.pending.length = 0; // its stream was closed by a response sent just before
    return;
  }
  if (watcher.pending.length > 0) {
    if (stream.blocked) {
      watcher.nextRevision = watcher.pending[0]!.event.modRevision;
      watcher.pending.length = 0;
      store.hold(watcher);
      return;
    }
    if (!store.sender.send(watcher)) stream.blocked = true;
  }
  watcher.nextRevision = Math.max(watcher.nextRevision, end);
  store.place(watcher);
}
