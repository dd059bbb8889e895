/**
 * The few calls that Kubernetes makes of etcd, with its optimistic writes: they name the revision
 * that the writer saw, and change nothing when the key has moved on.
 */
import { compare } from "../compare.ts";
import { intervalOf, toBytes } from "../input.ts";
import { op } from "../op.ts";
import type { Bytes, CallOptions, KeyValue, Kv, Op, TxnResult } from "../types.ts";

export interface RevisionOptions extends CallOptions {
  /** Read as of this revision; 0 or absent: the newest. */
  readonly revision?: number;
}

export interface ListOptions extends RevisionOptions {
  /** Most keys to answer; 0 or absent: no limit. */
  readonly limit?: number;
  /** Go on from here: the last key of the page before, and a zero byte. */
  readonly continue?: Bytes;
}

export interface OptimisticOptions extends CallOptions {
  /** If the key has moved on, answer what it holds now. */
  readonly getOnFailure?: boolean;
}

export interface ObjectResult {
  /** null: no such key. */
  readonly kv: KeyValue | null;
  /** The store's revision. */
  readonly revision: number;
}

export interface ListResult {
  readonly kvs: readonly KeyValue[];
  /** Of all keys with the prefix from the place of `continue` on. */
  readonly count: number;
  readonly revision: number;
}

export interface OptimisticResult extends ObjectResult {
  readonly succeeded: boolean;
}

export class KubernetesKv {
  readonly #kv: Kv;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  async get(key: Bytes, options: RevisionOptions = {}): Promise<ObjectResult> {
    const { kvs, header } = await this.#kv.get(key, { ...options, limit: 1 });
    return { kv: kvs[0] ?? null, revision: header.revision };
  }

  /** In the order of keys. */
  async list(prefix: Bytes, options: ListOptions = {}): Promise<ListResult> {
    const { continue: next, ...rest } = options;
    const interval = intervalOf(prefix, { prefix: true });
    const from = next === undefined ? interval.key : toBytes(next, "continue");
    const all = { ...rest, rangeEnd: interval.rangeEnd };
    const { kvs, count, header } = await this.#kv.get(from, all);
    return { kvs, count, revision: header.revision };
  }

  async count(prefix: Bytes, options: CallOptions = {}): Promise<number> {
    return (await this.#kv.get(prefix, { ...options, prefix: true, countOnly: true })).count;
  }

  /** `expectedRevision`: the mod revision that the key must have; 0: it must not exist. */
  async optimisticPut(
    key: Bytes,
    value: Bytes,
    expectedRevision: number,
    options: OptimisticOptions & { readonly lease?: bigint } = {},
  ): Promise<OptimisticResult> {
    const { lease = 0n } = options;
    return this.#ifUnmoved(key, expectedRevision, op.put(key, value, { lease }), options);
  }

  async optimisticDelete(
    key: Bytes,
    expectedRevision: number,
    options: OptimisticOptions = {},
  ): Promise<OptimisticResult> {
    return this.#ifUnmoved(key, expectedRevision, op.delete(key), options);
  }

  async #ifUnmoved(
    key: Bytes,
    expectedRevision: number,
    write: Op,
    options: OptimisticOptions,
  ): Promise<OptimisticResult> {
    const { getOnFailure = false, ...call } = options;
    const txn = this.#kv.txn().if(compare.mod(key).equals(expectedRevision)).then(write);
    const result: TxnResult = await txn.else(...(getOnFailure ? [op.get(key)] : [])).commit(call);
    const { succeeded, header } = result;
    const answer = result.responses[0];
    const kv = !succeeded && answer?.kind === "get" ? (answer.kvs[0] ?? null) : null;
    return { succeeded, revision: header.revision, kv };
  }
}
