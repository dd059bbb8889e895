import type { WatchBatch, WatchEvent } from "../types.ts";

const none: readonly WatchEvent[] = [];

/** Events one by one out of batches; progress notices are passed over. */
export class EventIterator implements AsyncIterator<WatchEvent, undefined> {
  readonly #batches: AsyncIterator<WatchBatch, undefined>;
  #events = none;
  #at = 0;
  /** The fetching of the next batch: who asks meanwhile comes after it. */
  #fetching: Promise<void> | null = null;
  #isOver = false;

  constructor(batches: AsyncIterator<WatchBatch, undefined>) {
    this.#batches = batches;
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    if (this.#fetching === null && this.#at < this.#events.length) {
      return Promise.resolve({ done: false, value: this.#events[this.#at++]! });
    }
    return this.#nextOfBatch();
  }

  async return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#isOver = true;
    this.#events = none;
    await this.#batches.return?.();
    return { done: true, value: undefined };
  }

  async #nextOfBatch(): Promise<IteratorResult<WatchEvent, undefined>> {
    while (!this.#isOver) {
      if (this.#fetching !== null) await this.#fetching;
      else if (this.#at < this.#events.length) {
        return { done: false, value: this.#events[this.#at++]! };
      } else await (this.#fetching = this.#fetch());
    }
    return { done: true, value: undefined };
  }

  async #fetch(): Promise<void> {
    try {
      const { done, value } = await this.#batches.next();
      if (done === true) this.#isOver = true;
      else {
        this.#events = value.events;
        this.#at = 0;
      }
    } finally {
      this.#fetching = null;
    }
  }
}
