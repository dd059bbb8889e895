/** The event-emitter form of a watch. Listeners hold nothing up: for back-pressure, iterate. */
import type { WatchBatch, WatchEvent } from "../types.ts";

export type WatchSignal = "batch" | "event" | "error" | "end";
export type WatchListener = (value: never) => void;

interface ListenerSets {
  readonly batch: Set<(batch: WatchBatch) => void>;
  readonly event: Set<(event: WatchEvent) => void>;
  readonly error: Set<(error: Error) => void>;
  readonly end: Set<() => void>;
}

export class WatchListeners {
  /** Made with the first listener: most watches are iterated over. */
  #sets: ListenerSets | null = null;
  #end: { readonly error: Error | null } | null = null;

  /** Somebody listens for data. */
  get isFlowing(): boolean {
    return this.#sets !== null && (this.#sets.batch.size > 0 || this.#sets.event.size > 0);
  }

  add(signal: WatchSignal, listener: WatchListener): void {
    this.#sets ??= { batch: new Set(), event: new Set(), error: new Set(), end: new Set() };
    (this.#sets[signal] as Set<WatchListener>).add(listener);
  }

  remove(signal: WatchSignal, listener: WatchListener): void {
    (this.#sets?.[signal] as Set<WatchListener> | undefined)?.delete(listener);
  }

  batch(batch: WatchBatch): void {
    if (this.#sets === null) return;
    for (const listener of this.#sets.batch) call(listener, batch);
    if (this.#sets.event.size === 0) return;
    for (const event of batch.events) {
      for (const listener of this.#sets.event) call(listener, event);
    }
  }

  /** How the watch ended, to be said by {@link end} when all batches before were given. */
  setEnd(error: Error | null): void {
    this.#end = { error };
  }

  /** Says once that the watch has ended. As with any emitter, an unheard error is thrown. */
  end(): void {
    const end = this.#end;
    if (end === null || this.#sets === null) return;
    const { error } = end;
    const listeners = error === null ? this.#sets.end : this.#sets.error;
    if (listeners.size === 0 && !this.isFlowing) return;
    this.#end = null;
    if (error !== null && listeners.size === 0) throwLater(error);
    else for (const listener of listeners as Set<WatchListener>) call(listener, error as never);
  }
}

/** A listener that throws does not keep the others, or other watches, from their events. */
function call<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    throwLater(error);
  }
}

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
