import { assert } from "../../base/assert.ts";
import { IntervalTree } from "../../base/interval-tree.ts";
import type { EventBatch } from "./watch-batch.ts";
import type { Cohort } from "./watch-cohort.ts";

/** All cohorts of a group with one and the same range. */
export interface CohortList {
  readonly start: string;
  readonly end: string | null | undefined;
  readonly cohorts: Cohort[];
  /** Events collected for their next responses; null between dispatches. */
  batch: EventBatch | null;
}

/**
 * A set of cohorts, found by the keys they watch.
 *
 * WG1  A cohort is in at most one group, at cohorts[listIndex] of its list; no list is empty.
 */
export class WatcherGroup {
  private readonly exact = new Map<string, CohortList>();
  private readonly ranges = new IntervalTree<CohortList>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  add(cohort: Cohort): void {
    assert(cohort.list === null, "cohort is already in a group");
    const list = this.listFor(cohort.start, cohort.end);
    cohort.list = list;
    cohort.listIndex = list.cohorts.length;
    list.cohorts.push(cohort);
    this.count++;
  }

  remove(cohort: Cohort): void {
    const { list } = cohort;
    assert(list?.cohorts[cohort.listIndex] === cohort, "cohort is not in the group");
    const last = list.cohorts.pop()!;
    if (last !== cohort) {
      list.cohorts[cohort.listIndex] = last;
      last.listIndex = cohort.listIndex;
    }
    cohort.list = null;
    this.count--;
    if (list.cohorts.length > 0) return;
    if (list.end === undefined) this.exact.delete(list.start);
    else this.ranges.remove(list.start, list.end);
  }

  /** All cohorts with just this range. */
  find(start: string, end: string | null | undefined): CohortList | undefined {
    return end === undefined ? this.exact.get(start) : this.ranges.get(start, end);
  }

  /** Appends the lists of all cohorts whose range holds the key (a binary string) to `out`. */
  match(key: string, out: CohortList[]): void {
    if (this.exact.size > 0) {
      const list = this.exact.get(key);
      if (list !== undefined) out.push(list);
    }
    if (this.ranges.size > 0) this.ranges.stab(key, out);
  }

  /** Appends every list to `out`. */
  all(out: CohortList[]): void {
    for (const list of this.exact.values()) out.push(list);
    this.ranges.forEach((list) => out.push(list));
  }

  private listFor(start: string, end: string | null | undefined): CohortList {
    const known = this.find(start, end);
    if (known !== undefined) return known;
    const list: CohortList = { start, end, cohorts: [], batch: null };
    if (end === undefined) this.exact.set(start, list);
    else this.ranges.add(start, end, list);
    return list;
  }
}
