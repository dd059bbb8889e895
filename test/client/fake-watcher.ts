// A watch over the history of a FakeCluster.
import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { EtcdError as ModelError } from "../../src/base/etcd-errors.ts";
import { AsyncQueue } from "../../src/client/async-queue.ts";
import { WatchCompactedError } from "../../src/client/errors.ts";
import { makeKeyValue } from "../../src/codec/client/key-value.ts";
import { intervalOf } from "../../src/client/input.ts";
import type {
  Bytes,
  Header,
  KeyValue,
  Watcher,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from "../../src/client/types.ts";
import { EventIterator } from "../../src/client/watch/event-iterator.ts";
import type { ModelEvent, ModelKv } from "../model/etcd-model.ts";
import type { FakeCluster } from "./fake-cluster.ts";

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export function toKeyValue(kv: ModelKv): KeyValue {
  const numbers = {
    createRevision: kv.create,
    modRevision: kv.mod,
    version: kv.version,
    lease: kv.lease,
  };
  return makeKeyValue(fromBinaryString(kv.key), fromBinaryString(kv.value), numbers);
}

export class FakeWatcher implements Watcher {
  readonly created: Promise<Header>;
  readonly #cluster: FakeCluster;
  readonly #isIn: (key: string) => boolean;
  readonly #options: WatchOptions;
  readonly #queue = new AsyncQueue<WatchBatch>();
  nextRevision: number;
  #isEnded = false;
  #isWoken = false;

  constructor(cluster: FakeCluster, key: Bytes, options: WatchOptions) {
    const interval = intervalOf(key, options);
    const from = toBinaryString(interval.key);
    const end = toBinaryString(interval.rangeEnd);
    this.#isIn = (k) => (end === "" ? k === from : k >= from && (end === "\0" || k < end));
    this.#cluster = cluster;
    this.#options = options;
    this.nextRevision = options.startRevision ?? cluster.model.revision + 1;
    this.created = Promise.resolve(cluster.header());
    cluster.watchers.add(this);
    const { signal } = options;
    if (signal?.aborted === true) this.#end();
    else signal?.addEventListener("abort", () => this.#end(), { once: true });
    this.wake();
  }

  /** Looks at the history in a later turn (FC3 of fake-cluster.ts). */
  wake(): void {
    if (this.#isWoken || this.#isEnded) return;
    this.#isWoken = true;
    void turn().then(() => {
      this.#isWoken = false;
      if (!this.#isEnded) this.#read();
    });
  }

  /** The server ends the watch. */
  fail(error: Error): void {
    this.#end(error);
  }

  #read(): void {
    const history = this.#cluster.model.history(this.nextRevision);
    if (history instanceof ModelError) {
      this.#end(new WatchCompactedError(this.#cluster.model.compactRevision));
      return;
    }
    const revisions = new Map<number, WatchEvent[]>();
    for (const event of history) {
      this.nextRevision = event.revision + 1;
      if (!this.#isIn(event.kv.key) || this.#isFiltered(event)) continue;
      const events = revisions.get(event.revision) ?? [];
      revisions.set(event.revision, events);
      events.push(this.#toEvent(event));
    }
    const header = this.#cluster.header();
    for (const events of revisions.values()) {
      this.#queue.push({ header, events, isProgress: false });
    }
  }

  #isFiltered({ isDelete }: ModelEvent): boolean {
    return (isDelete ? this.#options.noDelete : this.#options.noPut) === true;
  }

  #toEvent({ isDelete, kv }: ModelEvent): WatchEvent {
    const isCreate = !isDelete && kv.create === kv.mod;
    const prev = this.#options.prevKv === true ? this.#cluster.model.prevKv(kv.key, kv.mod) : null;
    return {
      type: isDelete ? "delete" : "put",
      kv: toKeyValue(kv),
      prevKv: prev === null ? null : toKeyValue(prev),
      isCreate,
    };
  }

  #end(error: Error | null = null): void {
    this.#isEnded = true;
    this.#cluster.watchers.delete(this);
    this.#queue.end(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch, undefined> {
    return {
      next: () => this.#queue.next(),
      return: async () => {
        await this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  events(): AsyncIterable<WatchEvent> {
    return { [Symbol.asyncIterator]: () => new EventIterator(this[Symbol.asyncIterator]()) };
  }

  on(): this {
    throw new Error("The fake knows iteration only");
  }

  off(): this {
    return this;
  }

  cancel(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }
}
