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
 * W8  Between turns every watcher is in exactly one place: the synced group, the unsynced heap, or
 *     its stream's held set. Memory per slow watcher is its cursor, whatever its backlog.
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
import { WatchSender } from "./watch-sender.ts";
import { watchLimits } from "./watch-limits.ts";
import { syncRound } from "./watch-sync.ts";
import { WatcherGroup } from "./watcher-group.ts";
import type { WatcherList } from "./watcher-group.ts";
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
  /** Watchers behind, by nextRevision. */
  readonly unsynced = new IndexedHeap<Watcher>();
  /** Counters since start, and gauges. */
  readonly counters = { streams: 0, watchers: 0, held: 0, slowed: 0 };
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
  private readonly lists: WatcherList[] = [];
  /** Lists with a batch. */
  private touched: WatcherList[] = [];

  constructor(deps: WatchableStoreDeps) {
    this.source = deps.source;
    this.turn = deps.turn;
    this.sender = new WatchSender(deps.source, deps.fragmentBytes);
  }

  /** Watchers that are behind the store. */
  get slowCount(): number {
    return this.unsynced.size + this.counters.held;
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
      start,
      end,
    });
    stream.watchers.set(watcher.id, watcher);
    this.counters.watchers++;
    if (watcher.startRevision === 0) watcher.nextRevision = revision + 1;
    note(stream, stream.output.created(watcher.id, revision));
    if (!stream.closed) this.place(watcher);
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
    for (const watcher of stream.held) {
      stream.held.delete(watcher);
      this.counters.held--;
      this.queue(watcher);
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
    const all: WatcherList[] = [];
    this.synced.all(all);
    const watchers = all.flatMap((list) => list.watchers);
    for (const watcher of watchers) {
      this.synced.remove(watcher);
      watcher.nextRevision = Math.max(watcher.nextRevision, fromRevision);
      this.place(watcher);
    }
  }

  /** Puts a watcher that is in no group where its nextRevision belongs (W3, W8). */
  place(watcher: Watcher): void {
    if (watcher.nextRevision > this.source.currentRevision) {
      watcher.state = "synced";
      this.synced.add(watcher);
    } else if (watcher.stream.blocked) {
      this.hold(watcher);
    } else {
      this.queue(watcher);
    }
  }

  /** Keeps only the watcher's cursor until its stream is resumed. */
  hold(watcher: Watcher): void {
    watcher.state = "held";
    watcher.stream.held.add(watcher);
    this.counters.held++;
    this.counters.slowed++;
  }

  /** W5: ends the watch with the compact revision. The watcher is in no group. */
  cancelCompacted(watcher: Watcher): void {
    const { stream } = watcher;
    watcher.state = "ended";
    stream.watchers.delete(watcher.id);
    this.counters.watchers--;
    note(stream, stream.output.compacted(watcher.id, this.source.compactRevision));
  }

  private remove(watcher: Watcher): void {
    this.detach(watcher);
    watcher.stream.watchers.delete(watcher.id);
  }

  private detach(watcher: Watcher): void {
    if (watcher.state === "synced") this.synced.remove(watcher);
    else if (watcher.state === "unsynced") this.unsynced.remove(watcher);
    else if (watcher.state === "held") {
      watcher.stream.held.delete(watcher);
      this.counters.held--;
    }
    watcher.state = "ended";
    this.counters.watchers--;
  }

  private queue(watcher: Watcher): void {
    watcher.state = "unsynced";
    this.unsynced.set(watcher, watcher.nextRevision);
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
        list.batch = new EventBatch(Infinity); // who is synced stays so, whatever the size
        this.touched.push(list);
      }
      list.batch.add(shared);
    }
  }

  private deliver(list: WatcherList): void {
    const batch = list.batch!;
    list.batch = null;
    // A copy: meanwhile those held back leave the list, and those whose stream a response closed.
    for (const watcher of list.watchers.slice()) {
      if (watcher.state === "ended") continue;
      const portion = batch.portion(watcher.variant, watcher.nextRevision);
      if (portion.events.length === 0) continue;
      const { stream } = watcher;
      if (stream.blocked) {
        this.synced.remove(watcher);
        watcher.nextRevision = portion.firstRevision; // W3
        this.hold(watcher);
      } else {
        note(stream, this.sender.send(watcher, portion));
      }
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
