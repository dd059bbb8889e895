/** A gate that one process holds shut and all others wait at; Go's recipe uses the same key. */
import type { KvWatchLease } from "../types.ts";
import { putNew, waitForEvent, type WaitOptions } from "./wait.ts";

export class Barrier {
  readonly #client: KvWatchLease;
  readonly #key: string;

  constructor(client: KvWatchLease, key: string) {
    this.#client = client;
    this.#key = key;
  }

  /** Shuts the gate; false when it is shut already. It stays shut until somebody releases it. */
  async hold(): Promise<boolean> {
    return (await putNew(this.#client.kv, this.#key, "")) !== null;
  }

  /** Opens the gate for all who wait. */
  async release(): Promise<void> {
    await this.#client.kv.delete(this.#key);
  }

  /** Until the gate is open. Throws CanceledError when the signal fires. */
  async wait(options: WaitOptions = {}): Promise<void> {
    const signal = options.signal ?? new AbortController().signal;
    for (;;) {
      const { kvs, header } = await this.#client.kv.get(this.#key, { keysOnly: true, signal });
      if (kvs.length === 0) return;
      const startRevision = header.revision + 1;
      await waitForEvent(this.#client, this.#key, "delete", { startRevision, signal });
    }
  }
}
