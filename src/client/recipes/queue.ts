/**
 * Queues of Go's recipes: an element is a key, taken by who deletes it first.
 *
 * QU1  An element is given to exactly one taker: it is deleted only if it is still as it was read.
 * QU2  It is gone then: one whose taker fails, or does not hear of its taking, is lost.
 */
import type { Bytes, GetOptions, KeyValue, KvWatchLease } from "../types.ts";
import { compare } from "../compare.ts";
import { op } from "../op.ts";
import { deleteUnchanged, putUnique, waitForEvent, type WaitOptions } from "./wait.ts";

/** Elements read at once: takers that lose the race for one try the next. */
const takenTogetherMax = 16;

/** Takes the first element in an order, waiting for one if there is none (QU1). */
async function take(
  client: KvWatchLease,
  prefix: string,
  order: Pick<GetOptions, "sort">,
  options: WaitOptions,
): Promise<KeyValue> {
  const signal = options.signal ?? new AbortController().signal;
  for (;;) {
    const { kvs, header } = await client.kv.get(prefix, {
      prefix: true,
      limit: takenTogetherMax,
      signal,
      ...order,
    });
    for (const kv of kvs) if (await deleteUnchanged(client.kv, kv)) return kv;
    if (kvs.length > 0) continue;
    const startRevision = header.revision + 1;
    await waitForEvent(client, prefix, "put", { prefix: true, startRevision, signal });
  }
}

/** First in, first out. */
export class Queue {
  readonly #client: KvWatchLease;
  readonly #prefix: string;

  constructor(client: KvWatchLease, name: string) {
    this.#client = client;
    this.#prefix = name;
  }

  async enqueue(value: Bytes): Promise<void> {
    await putUnique(this.#client.kv, this.#prefix, value);
  }

  /** Waits for an element. Throws CanceledError when the signal fires. */
  async dequeue(options: WaitOptions = {}): Promise<KeyValue> {
    const order = { sort: { by: "create", order: "ascend" } } as const;
    return take(this.#client, `${this.#prefix}/`, order, options);
  }
}

/** Widest priority, as in Go's recipe. */
const priorityMax = 0xffff;
const priorityDigits = 5;
const sequenceDigits = 16;

/** Lowest priority number first; first in, first out among equals. */
export class PriorityQueue {
  readonly #client: KvWatchLease;
  readonly #prefix: string;

  constructor(client: KvWatchLease, name: string) {
    this.#client = client;
    this.#prefix = `${name}/`;
  }

  /** `priority` 0 to 65,535. */
  async enqueue(value: Bytes, priority: number): Promise<void> {
    if (!Number.isInteger(priority) || priority < 0 || priority > priorityMax) {
      throw new RangeError(`Cannot enqueue with priority ${priority}, wanted 0 to ${priorityMax}`);
    }
    const prefix = this.#prefix + priority.toString().padStart(priorityDigits, "0");
    // Ends: each conflict means that somebody else's element went in.
    for (;;) if (await this.#putNext(prefix, value)) return;
  }

  /** Puts the element behind the last one of its priority; false when another came between. */
  async #putNext(prefix: string, value: Bytes): Promise<boolean> {
    const { kvs, header } = await this.#client.kv.get(`${prefix}/`, {
      prefix: true,
      sort: { by: "key", order: "descend" },
      limit: 1,
      keysOnly: true,
    });
    const last = kvs[0]?.keyString().split("/").at(-1);
    const sequence = last === undefined ? 0 : Number(last) + 1;
    if (!Number.isSafeInteger(sequence)) {
      throw new Error(`Cannot enqueue behind "${prefix}/${String(last)}", which is no element`);
    }
    const key = `${prefix}/${sequence.toString().padStart(sequenceDigits, "0")}`;
    // Every enqueue writes this key too: so a sequence number that was read, taken and deleted
    // meanwhile is noticed.
    const guard = `__${prefix}`;
    const txn = this.#client.kv
      .txn()
      .if(compare.mod(guard).lessThan(header.revision + 1))
      .then(op.put(guard, ""), op.put(key, value));
    return (await txn.commit()).succeeded;
  }

  /** Waits for an element. Throws CanceledError when the signal fires. */
  async dequeue(options: WaitOptions = {}): Promise<KeyValue> {
    const order = { sort: { by: "key", order: "ascend" } } as const;
    return take(this.#client, this.#prefix, order, options);
  }
}
