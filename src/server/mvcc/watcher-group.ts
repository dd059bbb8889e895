import { assert } from "../../base/assert.ts";
import { IntervalTree } from "../../base/interval-tree.ts";
import type { EventBatch } from "./watch-batch.ts";
import type { Watcher } from "./watcher.ts";

/** All watchers of a group with one and the same range. */
export interface WatcherList {
  readonly start: string;
  readonly end: string | null | undefined;
  readonly watchers: Watcher[];
  /** Events collected for their next responses; null between dispatches. */
  batch: EventBatch | null;
}

/**
 * A set of watchers, found by the keys they watch.
 *
 * WG1  A watcher is in at most one group, at watchers[listIndex] of its list; no list is empty.
 */
export class WatcherGroup {
  private readonly exact = new Map<string, WatcherList>();
  private readonly ranges = new IntervalTree<WatcherList>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(watcher: Watcher): void {
    assert(watcher.list === null, "watcher is already in a group");
    const list = this.listFor(watcher.start, watcher.end);
    watcher.list = list;
    watcher.listIndex = list.watchers.length;
    list.watchers.push(watcher);
    this.count++;
  }

  remove(watcher: Watcher): void {
    const { list } = watcher;
    assert(list?.watchers[watcher.listIndex] === watcher, "watcher is not in the group");
    const last = list.watchers.pop()!;
    if (last !== watcher) {
      list.watchers[watcher.listIndex] = last;
      last.listIndex = watcher.listIndex;
    }
    watcher.list = null;
    this.count--;
    if (list.watchers.length > 0) return;
    if (list.end === undefined) this.exact.delete(list.start);
    else this.ranges.remove(list.start, list.end);
  }

  /** Appends the lists of all watchers whose range holds the key (a binary string) to `out`. */
  match(key: string, out: WatcherList[]): void {
    if (this.exact.size > 0) {
      const list = this.exact.get(key);
      if (list !== undefined) out.push(list);
    }
    if (this.ranges.size > 0) this.ranges.stab(key, out);
  }

  /** Appends every list to `out`. */
  all(out: WatcherList[]): void {
    for (const list of this.exact.values()) out.push(list);
    this.ranges.forEach((list) => out.push(list));
  }

  private listFor(start: string, end: string | null | undefined): WatcherList {
    const known = end === undefined ? this.exact.get(start) : this.ranges.get(start, end);
    if (known !== undefined) return known;
    const list: WatcherList = { start, end, watchers: [], batch: null };
    if (end === undefined) this.exact.set(start, list);
    else this.ranges.add(start, end, list);
    return list;
  }
}
