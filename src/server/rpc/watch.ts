import { errStopped } from "../../base/etcd-errors.ts";
import type { Clock, Random } from "../../base/ports.ts";
import type { HeaderCodec } from "../../codec/header.ts";
import { decodeWatchRequest } from "../../codec/watch.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import { ProgressTicker, requestProgress } from "../mvcc/watch-progress.ts";
import type { WatchableStore } from "../mvcc/watchable-store.ts";
import type { WatchOutput, WatchStream } from "../mvcc/watcher.ts";
import { WatchEncoder } from "./watch-encoder.ts";

/** Id in answers about no watch: the whole stream, or a create that failed. */
const noWatchId = -1;

export interface WatchServiceParts {
  readonly store: WatchableStore;
  readonly header: HeaderCodec;
  readonly raftTerm: () => number;
  readonly clock: Clock;
  readonly random: Random;
  /** Interval of the notices of watches with progress_notify, before jitter. */
  readonly progressNotifyIntervalMs: number;
}

/** etcdserverpb.Watch. */
export function createWatchService(parts: WatchServiceParts): GrpcMethod[] {
  const encoder = new WatchEncoder(parts.header, parts.raftTerm);
  return [
    {
      path: "/etcdserverpb.Watch/Watch",
      clientStreaming: true,
      serverStreaming: true,
      open: (call) => {
        call.state = new WatchSession(call, parts, encoder);
      },
      message: (call, bytes) => {
        sessionOf(call).message(bytes);
      },
      // A half-close changes nothing: running watches deliver until the call ends (semantics.md 9).
      halfClosed: () => undefined,
      cancelled: (call) => {
        sessionOf(call).close();
      },
      drained: (call) => {
        sessionOf(call).close();
        call.finish(errStopped.code, errStopped.message);
      },
      writable: (call) => {
        sessionOf(call).writable();
      },
    },
  ];
}

function sessionOf(call: GrpcCall): WatchSession {
  return call.state as WatchSession;
}

/** One Watch call: its requests in, its responses out. */
class WatchSession implements WatchOutput {
  private readonly call: GrpcCall;
  private readonly parts: WatchServiceParts;
  private readonly encoder: WatchEncoder;
  private readonly stream: WatchStream;
  private ticker: ProgressTicker | null = null;

  constructor(call: GrpcCall, parts: WatchServiceParts, encoder: WatchEncoder) {
    this.call = call;
    this.parts = parts;
    this.encoder = encoder;
    this.stream = parts.store.openStream(this);
  }

  message(bytes: Uint8Array): void {
    const { store } = this.parts;
    const request = decodeWatchRequest(bytes);
    if (request.kind === "create") {
      const watcher = store.create(this.stream, request.create);
      if (watcher?.progressNotify === true) this.startTicker();
    } else if (request.kind === "cancel") {
      store.cancel(this.stream, request.watchId);
    } else if (request.kind === "progress") {
      requestProgress(store, this.stream);
    }
  }

  writable(): void {
    this.parts.store.resume(this.stream);
  }

  close(): void {
    this.ticker?.stop();
    this.ticker = null;
    this.parts.store.closeStream(this.stream);
  }

  created(watchId: number, revision: number): boolean {
    return this.encoder.sendControl(this.call, watchId, revision, { created: true });
  }

  refused(cancelReason: string, revision: number): boolean {
    const what = { created: true, canceled: true, cancelReason };
    return this.encoder.sendControl(this.call, noWatchId, revision, what);
  }

  events(
    watchId: number,
    revision: number,
    chunks: readonly Uint8Array[],
    fragment: boolean,
  ): boolean {
    return this.encoder.sendEvents(this.call, watchId, revision, chunks, fragment);
  }

  progress(watchId: number, revision: number): boolean {
    return this.encoder.sendControl(this.call, watchId, revision, {});
  }

  canceled(watchId: number, revision: number): boolean {
    return this.encoder.sendControl(this.call, watchId, revision, { canceled: true });
  }

  /** etcd sends this one without a revision in its header. */
  compacted(watchId: number, compactRevision: number): boolean {
    const what = { canceled: true, compactRevision };
    return this.encoder.sendControl(this.call, watchId, 0, what);
  }

  private startTicker(): void {
    if (this.ticker !== null || this.stream.closed) return;
    const { store, clock, random, progressNotifyIntervalMs: intervalMs } = this.parts;
    this.ticker = new ProgressTicker(store, this.stream, { clock, random, intervalMs });
    this.ticker.start();
  }
}
