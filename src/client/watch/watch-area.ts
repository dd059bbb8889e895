// All watches of a client, on as few streams as serve them.
//
// WT1  Watches share a stream when their streams would be opened alike (requireLeader) and when
//      both or neither want notices of progress: a notice for a whole stream waits for all of it.
// WT2  A watch is on one stream, parked, or ended; never on two streams.
// WT3  Nothing is open and no timer runs after the client's close.
import type { Caller } from "../caller.ts";
import { systemClock, type ClientClock } from "../clock.ts";
import { ClientClosedError } from "../errors.ts";
import type { Bytes, Watch, WatchOptions } from "../types.ts";
import { bufferedBatchesMax, watchSpec } from "./watch-spec.ts";
import { WatchStream } from "./watch-stream.ts";
import { ClientWatcher, type WatchHost } from "./watcher.ts";

/** Streams that are alike (WT1). */
interface Lane {
  readonly requireLeader: boolean;
  readonly streams: Set<WatchStream>;
}

export class WatchArea implements Watch {
  readonly #caller: Caller;
  readonly #clock: ClientClock;
  readonly #random: () => number;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneOf = new Map<ClientWatcher, Lane>();
  readonly #host: WatchHost;

  constructor(
    caller: Caller,
    clock: ClientClock = systemClock,
    random: () => number = Math.random,
  ) {
    this.#caller = caller;
    this.#clock = clock;
    this.#random = random;
    this.#host = {
      heldBytes: 0,
      full: (watcher) => {
        if (watcher.home?.pause() !== true) watcher.home?.remove(watcher);
      },
      drained: (watcher) => {
        if (watcher.home !== null) watcher.home.unpause();
        else if (!watcher.isEnded) this.#place(watcher);
      },
      ended: (watcher) => {
        watcher.home?.remove(watcher);
        this.#laneOf.delete(watcher);
      },
    };
    caller.closed.addEventListener("abort", () => {
      this.#close();
    });
  }

  watch(key: Bytes, options: WatchOptions = {}): ClientWatcher {
    const spec = watchSpec(key, options);
    const watcher = new ClientWatcher(spec, bufferedBatchesMax(options), this.#host);
    if (this.#caller.closed.aborted) watcher.end(null, new ClientClosedError());
    else if (options.signal !== undefined) watcher.follow(options.signal);
    if (watcher.isEnded) return watcher;
    this.#laneOf.set(watcher, this.#lane(options.requireLeader === true, spec.progressNotify));
    this.#place(watcher);
    return watcher;
  }

  requestProgress(options: { readonly requireLeader?: boolean } = {}): Promise<void> {
    const requireLeader = options.requireLeader === true;
    for (const lane of this.#lanes.values()) {
      if (lane.requireLeader !== requireLeader) continue;
      for (const stream of lane.streams) stream.requestProgress();
    }
    return Promise.resolve();
  }

  #lane(requireLeader: boolean, progressNotify: boolean): Lane {
    const name = `${requireLeader} ${progressNotify}`;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { requireLeader, streams: new Set() };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #place(watcher: ClientWatcher): void {
    const lane = this.#laneOf.get(watcher);
    if (lane === undefined) return;
    for (const stream of lane.streams) {
      if (!stream.hasRoom) continue;
      stream.add(watcher);
      return;
    }
    const stream = new WatchStream({
      ...{ caller: this.#caller, clock: this.#clock, random: this.#random },
      requireLeader: lane.requireLeader,
      closed: (closed) => lane.streams.delete(closed),
    });
    lane.streams.add(stream);
    stream.add(watcher);
  }

  #close(): void {
    // Streams first: a watch that leaves an open one says so to the server.
    for (const lane of this.#lanes.values()) for (const stream of lane.streams) stream.close();
    const reason = new ClientClosedError();
    for (const watcher of [...this.#laneOf.keys()]) watcher.end(null, reason);
  }
}
