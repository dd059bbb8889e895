/**
 * A client whose transactions append to lists and read them, for the check of serializability:
 * reads some lists, then writes on condition that none of them has changed.
 */

import type { Kv, KvRequest, KvResponse } from "../../check/history.ts";
import type { AppendTxn, Micro } from "../../check/list-append.ts";
import { KvClient, type ClientParts } from "./kv-client.ts";
import { thinkMsAt } from "./options.ts";

const lists = 4;
/** After so many transactions there are new lists: a list is read and written as a whole. */
const txnsPerLists = 100;

export class AppendClient {
  readonly #parts: ClientParts;
  readonly #client: KvClient;
  readonly #txns: AppendTxn[];
  isStopped = false;

  /** `txns` are those of all such clients. */
  constructor(parts: ClientParts, process: number, txns: AppendTxn[]) {
    this.#parts = parts;
    this.#txns = txns;
    this.#client = new KvClient(parts, process);
  }

  start(): void {
    const { scheduler, world, random, options } = this.#parts;
    scheduler.after(random.below(4 * thinkMsAt(options, scheduler.now) + 1), world, () => {
      if (!this.isStopped) this.#read();
    });
  }

  #read(): void {
    const { scheduler, random } = this.#parts;
    const call = scheduler.now;
    const first = random.below(lists);
    const age = Math.floor(this.#txns.length / txnsPerLists);
    const keys = [first, (first + 1 + random.below(lists - 1)) % lists].map(
      (n) => `list${age}.${n}`,
    );
    const success = keys.map((key): KvRequest => ({ kind: "range", key }));
    this.#client.run({ kind: "txn", compares: [], success, failure: [] }, (response) => {
      if (response?.kind !== "txn") this.start();
      else this.#write(call, keys, response);
    });
  }

  #write(call: number, keys: readonly string[], read: KvResponse & { kind: "txn" }): void {
    const { random, scheduler } = this.#parts;
    const found = read.responses.map((r) => (r.kind === "range" ? r.kvs[0] : undefined));
    const micros: Micro[] = keys.map((key, i) => ({ kind: "read", key, list: listOf(found[i]) }));
    const success: KvRequest[] = [];
    keys.forEach((key, i) => {
      if (i > 0 && random.below(2) === 0) return;
      const value = this.#txns.length * 2 + i + 1;
      micros.push({ kind: "append", key, value });
      success.push({ kind: "put", key, value: [...listOf(found[i]), value].join(",") });
    });
    const txn = { id: this.#txns.length, call, micros, returned: Infinity };
    const at = this.#txns.push({ ...txn, outcome: "maybe" }) - 1;
    const compares = keys.map((key, i) => {
      return { key, target: "mod", result: "=", operand: found[i]?.mod ?? 0 } as const;
    });
    this.#client.run({ kind: "txn", compares, success, failure: [] }, (response, isRefused) => {
      const isDone = response?.kind === "txn" && response.succeeded;
      const isFailed = isRefused || (response?.kind === "txn" && !response.succeeded);
      if (isDone) this.#txns[at] = { ...txn, returned: scheduler.now, outcome: "done" };
      else if (isFailed) this.#txns[at] = { ...txn, returned: scheduler.now, outcome: "failed" };
      this.start();
    });
  }
}

function listOf(kv: Kv | undefined): number[] {
  return kv === undefined ? [] : kv.value.split(",").map(Number);
}
