import type { Header, KeyValue, Watcher, WatchBatch, WatchEvent } from "../types.ts";

type Listener = (value: never) => void;

/** A watcher whose keys are shown otherwise than they are. */
export class NamespaceWatcher implements Watcher {
  readonly #inner: Watcher;
  readonly #shown: (kv: KeyValue) => KeyValue;
  /** What the inner watcher calls for each listener given here. */
  readonly #wrapped = {
    batch: new Map<Listener, (batch: WatchBatch) => void>(),
    event: new Map<Listener, (event: WatchEvent) => void>(),
  };

  constructor(inner: Watcher, shown: (kv: KeyValue) => KeyValue) {
    this.#inner = inner;
    this.#shown = shown;
  }

  get created(): Promise<Header> {
    return this.#inner.created;
  }

  get nextRevision(): number {
    return this.#inner.nextRevision;
  }

  cancel(): Promise<void> {
    return this.#inner.cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch, void, undefined> {
    for await (const batch of this.#inner) yield this.#batch(batch);
  }

  async *events(): AsyncGenerator<WatchEvent, void, undefined> {
    for await (const event of this.#inner.events()) yield this.#event(event);
  }

  on(event: "batch", listener: (batch: WatchBatch) => void): this;
  on(event: "event", listener: (event: WatchEvent) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "end", listener: () => void): this;
  on(event: "batch" | "event" | "error" | "end", listener: Listener): this {
    switch (event) {
      case "batch": {
        const wrapped = (batch: WatchBatch): void => listener(this.#batch(batch) as never);
        this.#wrapped.batch.set(listener, wrapped);
        this.#inner.on("batch", wrapped);
        return this;
      }
      case "event": {
        const wrapped = (one: WatchEvent): void => listener(this.#event(one) as never);
        this.#wrapped.event.set(listener, wrapped);
        this.#inner.on("event", wrapped);
        return this;
      }
      case "error":
        this.#inner.on("error", listener as (error: Error) => void);
        return this;
      case "end":
        this.#inner.on("end", listener as () => void);
        return this;
    }
  }

  off(event: "batch" | "event" | "error" | "end", listener: Listener): this {
    const wrapped = event === "batch" || event === "event" ? this.#wrapped[event] : null;
    this.#inner.off(event, wrapped?.get(listener) ?? listener);
    wrapped?.delete(listener);
    return this;
  }

  #batch(batch: WatchBatch): WatchBatch {
    return { ...batch, events: batch.events.map((event) => this.#event(event)) };
  }

  #event(event: WatchEvent): WatchEvent {
    const { type, isCreate, kv, prevKv } = event;
    const before = prevKv === null ? null : this.#shown(prevKv);
    return { type, isCreate, kv: this.#shown(kv), prevKv: before };
  }
}
