// A range of keys as it is now, kept up to date by a watch.
//
// LR1  The listener hears of a whole revision at once, in order of revisions, beginning with the
//      state at one revision.
// LR2  Nothing is missed: after anything that ends the watch (compaction, an error) the range is
//      read anew and watched from there. Until then the last known state stands. Only the client's
//      close ends it for good.
// LR3  After `close` the listener hears nothing.
import { pause, systemClock, type ClientClock } from "./clock.ts";
import { ClientClosedError, CompactedError, EtcdError } from "./errors.ts";
import { StreamBackoff } from "./stream-backoff.ts";
import type { Bytes, KeyRange, KeyValue, KvWatchLease } from "./types.ts";

export interface LiveRangeListener<T> {
  /** What a key's value means; undefined: nothing, as if the key were not there. */
  read(kv: KeyValue): T | undefined;
  /** The state at a revision: by key, in key order at first, later in the order of their coming. */
  changed(state: ReadonlyMap<string, T>, revision: number): void;
  /** Reading or watching failed and is tried again. */
  failed(error: Error): void;
}

/**
 * Follows a key or range until `close`, or until the client is closed. Keys are told apart as UTF-8
 * text.
 */
export class LiveRange<T> {
  readonly #client: KvWatchLease;
  readonly #key: Bytes;
  readonly #range: KeyRange;
  readonly #listener: LiveRangeListener<T>;
  readonly #clock: ClientClock;
  readonly #end = new AbortController();
  readonly #state = new Map<string, T>();
  readonly #backoff: StreamBackoff;
  readonly #running: Promise<void>;

  constructor(
    client: KvWatchLease,
    key: Bytes,
    range: KeyRange,
    listener: LiveRangeListener<T>,
    clock: ClientClock = systemClock,
  ) {
    this.#client = client;
    this.#key = key;
    this.#range = range;
    this.#listener = listener;
    this.#clock = clock;
    this.#backoff = new StreamBackoff(Math.random);
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  get #isClosed(): boolean {
    return this.#end.signal.aborted;
  }

  async #run(): Promise<void> {
    let isClientOpen = true;
    while (!this.#isClosed && isClientOpen) {
      try {
        const revision = await this.#readAll();
        await this.#follow(revision + 1);
      } catch (error) {
        if (this.#isClosed || error instanceof CompactedError) continue; // LR2
        this.#listener.failed(EtcdError.from(error));
        isClientOpen = !(error instanceof ClientClosedError);
        if (isClientOpen) await pause(this.#backoff.next(), this.#clock, this.#end.signal);
      }
    }
  }

  async #readAll(): Promise<number> {
    const { signal } = this.#end;
    const { kvs, header } = await this.#client.kv.get(this.#key, { ...this.#range, signal });
    this.#state.clear();
    for (const kv of kvs) this.#put(kv);
    this.#tell(header.revision);
    return header.revision;
  }

  async #follow(startRevision: number): Promise<void> {
    const { signal } = this.#end;
    const options = { ...this.#range, startRevision, requireLeader: true, signal };
    const watcher = this.#client.watch.watch(this.#key, options);
    watcher.created.then(
      () => this.#backoff.reset(),
      () => undefined, // the loop below throws it
    );
    for await (const { events, header } of watcher) {
      if (events.length === 0) continue;
      for (const { type, kv } of events) {
        if (type === "put") this.#put(kv);
        else this.#state.delete(kv.keyString());
      }
      this.#tell(events.at(-1)?.kv.modRevision ?? header.revision);
    }
  }

  #put(kv: KeyValue): void {
    const value = this.#listener.read(kv);
    if (value === undefined) this.#state.delete(kv.keyString());
    else this.#state.set(kv.keyString(), value);
  }

  #tell(revision: number): void {
    if (!this.#isClosed) this.#listener.changed(this.#state, revision); // LR3
  }
}
