/**
 * Watches on the store: who watches what, and what each still has to see.
 *
 * W1  A watch gets events in revision order, and in transaction order within a revision.
 * W2  No event twice: nextRevision moves past a revision in the step that sends it.
 * W3  No gap: a watcher leaves the synced group only with nextRevision = the first revision not
 *     sent, and returns to it only with nextRevision > the store's revision.
 * W4  All events of one revision for one watch are in one response (or its fragments, back to
 *     back).
 * W5  A watch that needs a compacted revision is canceled with the compact revision, never skipped.
 * W6  A progress notice at R is sent only to a synced watch, after everything up to R was sent.
 * W7  Only matching events pass the filters; nothing below the start revision; prev_kv is the value
 *     at mod_revision - 1.
 * W8  Between turns every cohort of watchers is in exactly one place: the synced group, the
 *     unsynced heap, or its stream's held set. Memory per slow cohort is its cursor, whatever its
 *     backlog.
 */
import { assert } from "../../base/assert.ts";
import { errCompacted } from "../../base/etcd-errors.ts";
import { IndexedHeap } from "../../base/heap.ts";
import { toBinaryString } from "../../base/bytes.ts";
import type { Turn } from "../../base/ports.ts";
import type { WatchCreateRequest } from "../../codec/messages.ts";
import type { EventListener, HistorySource, MvccEvent } from "./types.ts";
import { EventBatch } from "./watch-batch.ts";
import { SharedEvent } from "./watch-events.ts";
import { Cohort } from "./watch-cohort.ts";
import { WatchSender } from "./watch-sender.ts";
import { watchLimits } from "./watch-limits.ts";
import { syncRound } from "./watch-sync.ts";
import { WatcherGroup } from "./watcher-group.ts";
import type { CohortList } from "./watcher-group.ts";
import { Watcher, WatchStream } from "./watcher.ts";
import type { WatchOutput } from "./watcher.ts";

const reasonDuplicateId = "mvcc: duplicate watch ID provided on the WatchStream";
const reasonEmptyRange = "mvcc: watcher range is empty";
const reasonTooMany = "quorate: too many watches on one stream";

export interface WatchableStoreDeps {
  readonly source: HistorySource;
  readonly turn: Turn;
  /** Responses of a watch with `fragment` are split from this size on, bytes. */
  readonly fragmentBytes: number;
}

export class WatchableStore implements EventListener {
  readonly source: HistorySource;
  readonly sender: WatchSender;
  readonly synced = new WatcherGroup();
  /** Cohorts behind, by their cursor. */
  readonly unsynced = new IndexedHeap<Cohort>();
  /** Gauges, and `slowed` since start; apart from streams all count watchers. */
  readonly counters = { streams: 0, watchers: 0, unsynced: 0, held: 0, slowed: 0 };
  private readonly turn: Turn;
  /** Events of finished transactions that were not dispatched yet; emptied in the same turn. */
  private backlog: MvccEvent[] = [];
  private isFlushPlanned = false;
  private isRoundPlanned = false;
  // One function each for all turns.
  private readonly endTurn = (): void => {
    this.isFlushPlanned = false;
    this.flush();
  };
  private readonly runRound = (): void => {
    this.isRoundPlanned = false;
    this.flush();
    syncRound(this);
    if (this.unsynced.size > 0) this.planRound();
  };
  private readonly lists: CohortList[] = [];
  /** Lists with a batch. */
  private touched: CohortList[] = [];

  constructor(deps: WatchableStoreDeps) {
    this.source = deps.source;
    this.turn = deps.turn;
    this.sender = new WatchSender(deps.source, deps.fragmentBytes);
  }

  /** Watchers that are behind the store. */
  get slowCount(): number {
    return this.counters.unsynced + this.counters.held;
  }

  /** Events committed in this turn and not dispatched yet. */
  get pendingEvents(): number {
    return this.backlog.length;
  }

  openStream(output: WatchOutput): WatchStream {
    this.counters.streams++;
    return new WatchStream(output);
  }

  closeStream(stream: WatchStream): void {
    if (stream.closed) return;
    stream.closed = true;
    this.counters.streams--;
    for (const watcher of stream.watchers.values()) this.detach(watcher);
    stream.watchers.clear();
  }

  /**
   * Answers `created` (or refuses), then delivers from the start revision on. Returns the watch, or
   * null.
   */
  create(stream: WatchStream, request: WatchCreateRequest): Watcher | null {
    this.flush();
    const revision = this.source.currentRevision;
    const start = request.key.length === 0 ? "\0" : toBinaryString(request.key);
    const end = rangeEnd(request.rangeEnd);
    const reason = refusal(stream, request, start, end);
    if (reason !== null) {
      note(stream, stream.output.refused(reason, revision));
      return null;
    }
    const watcher = new Watcher(stream, {
      ...request,
      id: this.pickId(stream, request.watchId),
    });
    stream.watchers.set(watcher.id, watcher);
    this.counters.watchers++;
    if (watcher.startRevision === 0) watcher.nextRevision = revision + 1;
    note(stream, stream.output.created(watcher.id, revision));
    if (stream.closed) return watcher;
    const cohort = new Cohort(stream, { start, end }, watcher.nextRevision);
    cohort.add(watcher);
    this.place(cohort);
    return watcher;
  }

  /** Ends one watch; nothing happens when the stream has no such id. */
  cancel(stream: WatchStream, watchId: number): void {
    this.flush();
    const watcher = stream.watchers.get(watchId);
    if (watcher === undefined) return;
    this.remove(watcher);
    note(stream, stream.output.canceled(watchId, this.source.currentRevision));
  }

  /** The stream's output is below its bound again: its held watchers read on. */
  resume(stream: WatchStream): void {
    if (stream.closed || !stream.blocked) return;
    stream.blocked = false;
    for (const cohort of stream.held) {
      stream.held.delete(cohort);
      this.counters.held -= cohort.watchers.length;
      this.queue(cohort);
    }
  }

  /** From the store, once per transaction. Dispatched at the end of the turn, in one go. */
  committed(_revision: number, events: readonly MvccEvent[]): void {
    if (this.synced.size === 0) return; // everyone who is behind reads history
    for (const event of events) this.backlog.push(event);
    if (this.backlog.length >= watchLimits.backlogEventsMax) {
      this.flush();
    } else if (!this.isFlushPlanned) {
      this.isFlushPlanned = true;
      this.turn.atEnd(this.endTurn);
    }
  }

  /** Dispatches what was committed: afterwards synced watchers have seen the current revision. */
  flush(): void {
    const { backlog } = this;
    if (backlog.length === 0) return;
    this.backlog = [];
    for (const event of backlog) this.collect(new SharedEvent(event));
    const { touched } = this;
    this.touched = [];
    for (const list of touched) this.deliver(list);
  }

  /**
   * The store's content was replaced (a snapshot was installed): synced watchers go on from
   * `fromRevision`, the first revision the former content did not have (W2, W3).
   */
  replaced(fromRevision: number): void {
    assert(this.backlog.length === 0, "events left from the replaced store");
    const all: CohortList[] = [];
    this.synced.all(all);
    const cohorts = all.flatMap((list) => list.cohorts);
    for (const cohort of cohorts) {
      this.leaveSynced(cohort);
      cohort.nextRevision = Math.max(cohort.nextRevision, fromRevision);
      this.place(cohort);
    }
  }

  /** Puts a cohort that is in no group where its cursor belongs (W3, W8). */
  place(cohort: Cohort): void {
    if (cohort.nextRevision > this.source.currentRevision) this.joinSynced(cohort);
    else if (cohort.stream.blocked) this.hold(cohort);
    else this.queue(cohort);
  }

  /** Keeps only the cohort's cursor until its stream is resumed. */
  hold(cohort: Cohort): void {
    cohort.state = "held";
    cohort.stream.held.add(cohort);
    this.counters.held += cohort.watchers.length;
    this.counters.slowed += cohort.watchers.length;
  }

  takeUnsynced(cohort: Cohort): void {
    this.unsynced.remove(cohort);
    this.counters.unsynced -= cohort.watchers.length;
    cohort.state = "moving";
  }

  /** W5: ends the watches that need what is compacted. The cohort is in no group. */
  cancelCompacted(cohort: Cohort): void {
    const { stream } = cohort;
    const { compactRevision } = this.source;
    for (const watcher of cohort.watchers.slice()) {
      if (watcher.cohort === null || watcher.nextRevision >= compactRevision) continue;
      this.remove(watcher);
      note(stream, stream.output.compacted(watcher.id, compactRevision));
    }
    cohort.nextRevision = compactRevision;
  }

  private remove(watcher: Watcher): void {
    this.detach(watcher);
    watcher.stream.watchers.delete(watcher.id);
  }

  private detach(watcher: Watcher): void {
    const { cohort } = watcher;
    if (cohort === null) return; // its stream was closed by the answer to its creation
    this.counters.watchers--;
    if (cohort.state === "unsynced") this.counters.unsynced--;
    else if (cohort.state === "held") this.counters.held--;
    cohort.remove(watcher);
    if (cohort.watchers.length > 0) return;
    if (cohort.state === "synced")
      this.leaveSynced(cohort); // CO1
    else if (cohort.state === "unsynced") this.unsynced.remove(cohort);
    else if (cohort.state === "held") cohort.stream.held.delete(cohort);
  }

  /**
   * Synced cohorts of one stream and range become one again. A cursor in the future stays with its
   * watcher: the cohort's must hold for whoever joins.
   */
  private joinSynced(cohort: Cohort): void {
    const { stream } = cohort;
    const now = this.source.currentRevision + 1;
    if (cohort.nextRevision > now) {
      for (const watcher of cohort.watchers) {
        watcher.nextRevision = Math.max(watcher.nextRevision, cohort.nextRevision);
      }
      cohort.nextRevision = now;
    }
    const list = this.synced.find(cohort.start, cohort.end);
    if (list !== undefined && stream.synced.get(list)?.absorb(cohort) === true) return;
    cohort.state = "synced";
    this.synced.add(cohort);
    stream.synced.set(cohort.list!, cohort);
  }

  private leaveSynced(cohort: Cohort): void {
    const { list, stream } = cohort;
    if (stream.synced.get(list!) === cohort) stream.synced.delete(list!);
    this.synced.remove(cohort);
    cohort.state = "moving";
  }

  private queue(cohort: Cohort): void {
    cohort.state = "unsynced";
    this.unsynced.set(cohort, cohort.nextRevision);
    this.counters.unsynced += cohort.watchers.length;
    this.planRound();
  }

  private planRound(): void {
    if (this.isRoundPlanned) return;
    this.isRoundPlanned = true;
    this.turn.next(this.runRound);
  }

  private pickId(stream: WatchStream, wanted: number): number {
    if (wanted !== 0) return wanted;
    while (stream.watchers.has(stream.nextId)) stream.nextId++;
    return stream.nextId++;
  }

  /** Adds the event to the batch of every list of synced watchers it may concern. */
  private collect(shared: SharedEvent): void {
    this.lists.length = 0;
    this.synced.match(toBinaryString(shared.event.key), this.lists);
    for (const list of this.lists) {
      if (list.batch === null) {
        list.batch = new EventBatch();
        this.touched.push(list);
      }
      list.batch.add(shared);
    }
  }

  private deliver(list: CohortList): void {
    const batch = list.batch!;
    list.batch = null;
    // A copy: meanwhile those held back leave the list, and those whose stream a response closed.
    for (const cohort of list.cohorts.slice()) {
      if (cohort.list !== list) continue;
      // Who is synced gets everything at once, whatever the size.
      if (cohort.serve(batch, this.source.currentRevision + 1, this.sender)) continue;
      this.leaveSynced(cohort);
      this.hold(cohort);
    }
  }
}

/** Remembers that the output is over its bound. */
function note(stream: WatchStream, isBelowBound: boolean): void {
  if (!isBelowBound) stream.blocked = true;
}

/** undefined: the single key; null: no end. */
function rangeEnd(bytes: Uint8Array): string | null | undefined {
  if (bytes.length === 0) return undefined;
  return bytes.length === 1 && bytes[0] === 0 ? null : toBinaryString(bytes);
}

function refusal(
  stream: WatchStream,
  request: WatchCreateRequest,
  start: string,
  end: string | null | undefined,
): string | null {
  if (request.startRevision < 0) return errCompacted.message;
  if (typeof end === "string" && start >= end) return reasonEmptyRange;
  if (request.watchId !== 0 && stream.watchers.has(request.watchId)) return reasonDuplicateId;
  if (stream.watchers.size >= watchLimits.watchersPerStreamMax) return reasonTooMany;
  return null;
}
