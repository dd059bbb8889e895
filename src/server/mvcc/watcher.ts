import { watchVariant } from "./watch-batch.ts";
import type { Cohort, CohortState } from "./watch-cohort.ts";
import type { CohortList } from "./watcher-group.ts";

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
  /** Cohorts waiting for the stream to become writable (state "held"). */
  readonly held = new Set<Cohort>();
  /** Of each range the synced cohort that takes others in. */
  readonly synced = new Map<CohortList, Cohort>();
  /** Next id the server tries when the client leaves the choice to it. */
  nextId = 0;
  /** The output is over its bound: no events until it was resumed. */
  blocked = false;
  closed = false;

  constructor(output: WatchOutput) {
    this.output = output;
  }
}

export interface WatcherOptions {
  id: number;
  startRevision: number;
  noPut: boolean;
  noDelete: boolean;
  prevKv: boolean;
  fragment: boolean;
  progressNotify: boolean;
}

/** One watch. What every event asks of it comes first, and so lies together in memory. */
export class Watcher {
  readonly stream: WatchStream;
  readonly id: number;
  /** Filters and form: bits of {@link watchVariant}. */
  readonly variant: number;
  /** Nothing below this is delivered; see {@link Cohort} for where it really stands. */
  nextRevision: number;
  readonly fragment: boolean;
  /** Events were sent since the stream's last progress tick. */
  sentSinceTick = false;
  readonly progressNotify: boolean;
  /** As asked for; 0 = from now. */
  readonly startRevision: number;
  /** null: canceled, or its stream closed. */
  cohort: Cohort | null = null;
  /** Place in its cohort. */
  index = 0;

  constructor(stream: WatchStream, options: WatcherOptions) {
    this.stream = stream;
    this.id = options.id;
    this.startRevision = options.startRevision;
    this.nextRevision = options.startRevision;
    this.variant =
      (options.noPut ? watchVariant.noPut : 0) |
      (options.noDelete ? watchVariant.noDelete : 0) |
      (options.prevKv ? watchVariant.prevKv : 0);
    this.fragment = options.fragment;
    this.progressNotify = options.progressNotify;
  }

  get state(): CohortState | "ended" {
    return this.cohort?.state ?? "ended";
  }
}

/** Has seen everything up to `revision`, the store's, and that is not before its start (W6). */
export function isCaughtUp(watcher: Watcher, revision: number): boolean {
  return watcher.state === "synced" && watcher.startRevision <= revision;
}
