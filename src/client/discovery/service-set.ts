import type { ClientClock } from "../clock.ts";
import { Emitter } from "../emitter.ts";
import { Latest } from "../latest.ts";
import { LiveRange } from "../live-range.ts";
import type { KvWatchLease } from "../types.ts";
import { decodeInstance, servicePrefix, type ServiceInstance } from "./instance.ts";

/**
 * The instances of a service as they are now, in order of their ids. While the cluster cannot be
 * reached the last known ones stay.
 *
 * Events: `change` with the new instances; `error` when reading failed and is tried again.
 * Iterating gives the present instances and then the newest after each change.
 */
export class ServiceSet
  extends Emitter<{ change: [readonly ServiceInstance[]]; error: [Error] }>
  implements AsyncIterable<readonly ServiceInstance[]>
{
  readonly service: string;
  /** Resolves when the instances were read for the first time, or the set was closed. */
  readonly ready: Promise<void>;
  readonly #latest = new Latest<readonly ServiceInstance[]>();
  readonly #live: LiveRange<ServiceInstance>;
  #instances: readonly ServiceInstance[] = [];
  #setReady = (): void => undefined;

  constructor(client: KvWatchLease, prefix: string, service: string, clock?: ClientClock) {
    super();
    this.service = service;
    this.ready = new Promise((resolve) => (this.#setReady = resolve));
    const key = servicePrefix(prefix, service);
    const listener = {
      read: decodeInstance.bind(null, service, key),
      changed: (state: ReadonlyMap<string, ServiceInstance>) => this.#changed([...state.values()]),
      failed: (error: Error) => this.emit("error", error),
    };
    this.#live = new LiveRange(client, key, { prefix: true }, listener, clock);
  }

  get instances(): readonly ServiceInstance[] {
    return this.#instances;
  }

  [Symbol.asyncIterator](): AsyncGenerator<readonly ServiceInstance[], void> {
    return this.#latest.values();
  }

  /** Ends the watch and the iterations. */
  async close(): Promise<void> {
    this.#latest.end();
    this.#setReady();
    await this.#live.close();
  }

  #changed(instances: ServiceInstance[]): void {
    this.#instances = instances.sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#setReady();
    this.#latest.set(this.#instances);
    this.emit("change", this.#instances);
  }
}
