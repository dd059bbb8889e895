import type { HeapItem } from "../../base/heap.ts";
import { watchVariant } from "./watch-batch.ts";
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

/** One watch. What every event asks of it comes first, and so lies together in memory. */
export class Watcher implements HeapItem {
  readonly stream: WatchStream;
  readonly id: number;
  state: WatcherState = "ended";
  /** Filters and form: bits of {@link watchVariant}. */
  readonly variant: number;
  /**
   * First revision not yet delivered. While synced it is only a lower bound for what to deliver
   * (it lies in the future for a watch that starts there): dispatching does not move it.
   */
  nextRevision: number;
  readonly fragment: boolean;
  /** Events were sent since the stream's last progress tick. */
  sentSinceTick = false;
  readonly progressNotify: boolean;
  readonly start: string;
  readonly end: string | null | undefined;
  /** As asked for; 0 = from now. */
  readonly startRevision: number;
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
    this.variant =
      (options.noPut ? watchVariant.noPut : 0) |
      (options.noDelete ? watchVariant.noDelete : 0) |
      (options.prevKv ? watchVariant.prevKv : 0);
    this.fragment = options.fragment;
    this.progressNotify = options.progressNotify;
  }
}

/** Has seen everything up to `revision`, the store's, and that is not before its start (W6). */
export function isCaughtUp(watcher: Watcher, revision: number): boolean {
  return watcher.state === "synced" && watcher.startRevision <= revision;
}
