import { InvalidInputError, toInt } from "../input.ts";
import type {
  Bytes,
  CallOptions,
  KeyValue,
  KvWatchLease,
  Watcher,
  WatchOptions,
} from "../types.ts";

/**
 * Follows everything below a prefix: what is there at one revision first, then every change behind
 * it. Read `base` to its end, then go on with `updates`.
 */
export class MirrorSyncer {
  readonly #client: Pick<KvWatchLease, "kv" | "watch">;
  readonly #prefix: Bytes;
  #revision: number;

  /** `revision`: of the base; 0 or absent: the newest when the base is read. Prefix "": all. */
  constructor(client: Pick<KvWatchLease, "kv" | "watch">, prefix: Bytes, revision?: number) {
    this.#client = client;
    this.#prefix = prefix;
    this.#revision = toInt(revision, "revision");
  }

  /** The revision of the base; 0 before it was begun. */
  get revision(): number {
    return this.#revision;
  }

  /** The keys at one revision, in their order. */
  async *base(options: CallOptions = {}): AsyncGenerator<KeyValue, void, undefined> {
    const { kv } = this.#client;
    if (this.#revision === 0) {
      const newest = { ...options, prefix: true, countOnly: true, limit: 1 };
      this.#revision = (await kv.get(this.#prefix, newest)).header.revision;
    }
    yield* kv.stream(this.#prefix, { ...options, prefix: true, revision: this.#revision });
  }

  /** The changes behind the base, from the first on. */
  updates(options: Omit<WatchOptions, "prefix" | "fromKey" | "rangeEnd"> = {}): Watcher {
    if (this.#revision === 0) throw new InvalidInputError("updates follow a base: read it first");
    const all = { ...options, prefix: true, startRevision: this.#revision + 1 };
    return this.#client.watch.watch(this.#prefix, all);
  }
}
