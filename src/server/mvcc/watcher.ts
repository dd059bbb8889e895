import type { HeapItem } from "../../base/heap.ts";
import type { MvccEvent } from "./types.ts";
import type { SharedEvent } from "./watch-events.ts";
import type { WatcherList } from "./watcher-group.ts";

/**
 * Where one stream's responses go. Every function accepts its message; false means the stream is
 * now over its bound of pending bytes, and {@link WatchableStore.resume} is called once it is
 * below.
 */
export interface WatchOutput {
  created(watchId: number, revision: number): boolean;
  /** A create that failed: created and canceled at once, with id -1. */
  refused(reason: string, revision: number): boolean;
  /**
   * `chunks` hold whole `events` fields; they never change. `fragment`: more of this response
   * follows.
   */
  events(
    watchId: number,
    revision: number,
    chunks: readonly Uint8Array[],
    fragment: boolean,
  ): boolean;
  progress(watchId: number, revision: number): boolean;
  canceled(watchId: number, revision: number): boolean;
  /** Canceled because the watcher's next revision was compacted away. */
  compacted(watchId: number, compactRevision: number): boolean;
}

/** All watches of one client stream. */
export class WatchStream {
  readonly output: WatchOutput;
  readonly watchers = new Map<number, Watcher>();
  /** Watchers waiting for the stream to become writable (state "held"). */
  readonly held = new Set<Watcher>();
  /** Next id the server tries when the client leaves the choice to it. */
  nextId = 0;
  /** The output is over its bound: no events until it was resumed. */
  blocked = false;
  closed = false;

  constructor(output: WatchOutput) {
    this.output = output;
  }
}

/**
 * synced    saw every revision the store has dispatched; gets events as they are committed
 * unsynced  behind: reads history from nextRevision on
 * held      behind, and its stream is over its bound: keeps only nextRevision
 * ended     canceled or its stream closed
 */
export type WatcherState = "synced" | "unsynced" | "held" | "ended";

export interface WatcherOptions {
  id: number;
  /** Binary strings; end null = no end, end undefined = the single key. */
  start: string;
  end: string | null | undefined;
  startRevision: number;
  noPut: boolean;
  noDelete: boolean;
  prevKv: boolean;
  fragment: boolean;
  progressNotify: boolean;
}

/** One watch. */
export class Watcher implements HeapItem {
  readonly stream: WatchStream;
  readonly id: number;
  readonly start: string;
  readonly end: string | null | undefined;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** As asked for; 0 = from now. */
  readonly startRevision: number;
  state: WatcherState = "ended";
  /**
   * First revision not yet delivered. While synced it is only a lower bound for what to deliver
   * (it lies in the future for a watch that starts there): dispatching does not move it.
   */
  nextRevision: number;
  /** Events were sent since the stream's last progress tick. */
  sentSinceTick = false;
  /** Events collected for the next response; empty between dispatches. */
  readonly pending: SharedEvent[] = [];
  pendingBytes = 0;
  /** Catch-up stopped collecting at this revision, for size; 0 = it did not. */
  stoppedAt = 0;
  /** Place in its group's list. */
  list: WatcherList | null = null;
  listIndex = 0;
  heapKey = 0;
  heapIndex = -1;

  constructor(stream: WatchStream, options: WatcherOptions) {
    this.stream = stream;
    this.id = options.id;
    this.start = options.start;
    this.end = options.end;
    this.startRevision = options.startRevision;
    this.nextRevision = options.startRevision;
    this.noPut = options.noPut;
    this.noDelete = options.noDelete;
    this.prevKv = options.prevKv;
    this.fragment = options.fragment;
    this.progressNotify = options.progressNotify;
  }
}

/** Passes the filters, and was not delivered before (W2, W7 of the watchable store). */
export function wants(watcher: Watcher, event: MvccEvent): boolean {
  if (event.modRevision < watcher.nextRevision) return false;
  return event.isDelete ? !watcher.noDelete : !watcher.noPut;
}

/** Has seen everything up to `revision`, the store's, and that is not before its start (W6). */
export function isCaughtUp(watcher: Watcher, revision: number): boolean {
  return watcher.state === "synced" && watcher.startRevision <= revision;
}
