import type { Clock, Random, Timer } from "../../base/ports.ts";
import type { WatchableStore } from "./watchable-store.ts";
import { isCaughtUp } from "./watcher.ts";
import type { WatchStream } from "./watcher.ts";

/** Id in a notice that is about the whole stream. */
const streamWatchId = -1;

/**
 * Answers a progress request: one notice for the stream if every watch of it has seen everything up
 * to the current revision (W6). Otherwise, and when the stream is over its bound, nothing: the
 * client asks again.
 */
export function requestProgress(store: WatchableStore, stream: WatchStream): void {
  store.flush();
  if (stream.blocked || stream.watchers.size === 0) return;
  const revision = store.source.currentRevision;
  for (const watcher of stream.watchers.values()) {
    if (!isCaughtUp(watcher, revision)) return;
  }
  if (!stream.output.progress(streamWatchId, revision)) stream.blocked = true;
}

/** Sends the periodic notices of one stream to its watches with progress_notify. */
export class ProgressTicker {
  private readonly store: WatchableStore;
  private readonly stream: WatchStream;
  private readonly clock: Clock;
  private readonly intervalMs: number;
  private timer: Timer | null = null;

  /** The interval gets up to a tenth of jitter, so that streams do not tick together. */
  constructor(store: WatchableStore, stream: WatchStream, ports: ProgressPorts) {
    this.store = store;
    this.stream = stream;
    this.clock = ports.clock;
    const jitterMs = Math.floor(ports.intervalMs / 10);
    this.intervalMs = ports.intervalMs + (jitterMs > 0 ? ports.random.below(jitterMs) : 0);
  }

  start(): void {
    if (this.timer !== null) return;
    this.timer = this.clock.after(this.intervalMs, () => {
      this.timer = null;
      this.tick();
      this.start();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** A watch that got events since the last tick needs no notice. */
  private tick(): void {
    const { store, stream } = this;
    store.flush();
    const revision = store.source.currentRevision;
    for (const watcher of stream.watchers.values()) {
      if (!watcher.progressNotify) continue;
      const isQuiet = !watcher.sentSinceTick;
      watcher.sentSinceTick = false;
      if (!isQuiet || stream.blocked || !isCaughtUp(watcher, revision)) continue;
      if (!stream.output.progress(watcher.id, revision)) stream.blocked = true; // W6
    }
  }
}

export interface ProgressPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly intervalMs: number;
}
