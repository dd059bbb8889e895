// A client that sees only the keys below a prefix, and sees them without it.
//
// N1  Every key that goes out has the prefix before it, in ranges, compares and nested
//     transactions as well; a range without an end ends where the prefix does.
// N2  Every key that comes in has it no more.
import { DecodedKeyValue, makeKeyValue } from "../../codec/client/key-value.ts";
import { toBytes } from "../input.ts";
import { TxnDraft } from "../txn.ts";
import type {
  Bytes,
  CallOptions,
  Compare,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  GetResult,
  Header,
  KeepAlive,
  KeyValue,
  Kv,
  KvWatchLease,
  Lease,
  LeaseGrant,
  LeaseTimeToLive,
  Op,
  OpResult,
  PutOptions,
  PutResult,
  ResultOf,
  TxnOp,
  TxnResult,
  Watch,
  Watcher,
  WatchOptions,
} from "../types.ts";
import { below, namedInterval, rangeOption, withoutRange } from "./interval.ts";
import { NamespaceWatcher } from "./namespace-watcher.ts";

/** Kv, watch and lease below `prefix`. Closing the client stays with whoever made it. */
export function namespace(client: KvWatchLease, prefix: Bytes): KvWatchLease {
  const bytes = toBytes(prefix, "prefix");
  return {
    kv: new NamespaceKv(client.kv, bytes),
    watch: new NamespaceWatch(client.watch, bytes),
    lease: new NamespaceLease(client.lease, bytes),
  };
}

class NamespaceKv implements Kv {
  readonly #inner: Kv;
  readonly #prefix: Uint8Array;

  constructor(inner: Kv, prefix: Uint8Array) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  async get(key: Bytes, options: GetOptions = {}): Promise<GetResult> {
    const [to, all] = this.#ranged(key, options);
    return this.#shortGet(await this.#inner.get(to, all));
  }

  async put(key: Bytes, value: Bytes, options?: PutOptions): Promise<PutResult> {
    return this.#shortPut(await this.#inner.put(this.#long(key), value, options));
  }

  async delete(key: Bytes, options: DeleteOptions = {}): Promise<DeleteResult> {
    const [to, all] = this.#ranged(key, options);
    return this.#shortDelete(await this.#inner.delete(to, all));
  }

  compact(
    revision: number,
    options?: CallOptions & { readonly physical?: boolean },
  ): Promise<{ readonly header: Header }> {
    return this.#inner.compact(revision, options);
  }

  async do<T extends Op>(op: T, options?: CallOptions): Promise<ResultOf<T>> {
    return this.#shortResult(await this.#inner.do(this.#longOp(op), options)) as ResultOf<T>;
  }

  txn(): TxnDraft {
    return new TxnDraft((op, options) => this.do(op, options));
  }

  async *stream(key: Bytes, options: GetOptions = {}): AsyncGenerator<KeyValue, void, undefined> {
    const [to, all] = this.#ranged(key, options);
    for await (const kv of this.#inner.stream(to, all)) yield shortKeyValue(kv, this.#prefix);
  }

  #long(key: Bytes): Uint8Array {
    return below(this.#prefix, namedInterval(key, undefined)).key;
  }

  /** N1 */
  #ranged<T extends GetOptions | DeleteOptions>(key: Bytes, options: T): [Uint8Array, T] {
    const interval = below(this.#prefix, namedInterval(key, options));
    return [interval.key, { ...withoutRange(options), ...rangeOption(interval) } as T];
  }

  #longOp(op: Op): Op {
    switch (op.kind) {
      case "get": {
        const [key, options] = this.#ranged(op.key, op.options);
        return { kind: "get", key, options };
      }
      case "put":
        return { ...op, key: this.#long(op.key) };
      case "delete": {
        const [key, options] = this.#ranged(op.key, op.options);
        return { kind: "delete", key, options };
      }
      case "txn":
        return this.#longTxn(op);
    }
  }

  #longTxn(op: TxnOp): TxnOp {
    return {
      kind: "txn",
      compares: op.compares.map((one) => this.#longCompare(one)),
      success: op.success.map((one) => this.#longOp(one)),
      failure: op.failure.map((one) => this.#longOp(one)),
    };
  }

  #longCompare(one: Compare): Compare {
    const interval = below(this.#prefix, namedInterval(one.key, one.range));
    const { target, result, operand } = one;
    return { target, result, operand, key: interval.key, range: rangeOption(interval) };
  }

  #shortGet(result: GetResult): GetResult {
    return { ...result, kvs: result.kvs.map((kv) => shortKeyValue(kv, this.#prefix)) };
  }

  #shortPut(result: PutResult): PutResult {
    const { prevKv } = result;
    return prevKv === null ? result : { ...result, prevKv: shortKeyValue(prevKv, this.#prefix) };
  }

  #shortDelete(result: DeleteResult): DeleteResult {
    return { ...result, prevKvs: result.prevKvs.map((kv) => shortKeyValue(kv, this.#prefix)) };
  }

  /** N2 */
  #shortResult(result: OpResult): OpResult {
    switch (result.kind) {
      case "get":
        return this.#shortGet(result);
      case "put":
        return this.#shortPut(result);
      case "delete":
        return this.#shortDelete(result);
      case "txn":
        return this.#shortTxn(result);
    }
  }

  #shortTxn(result: TxnResult): TxnResult {
    return { ...result, responses: result.responses.map((one) => this.#shortResult(one)) };
  }
}

class NamespaceWatch implements Watch {
  readonly #inner: Watch;
  readonly #prefix: Uint8Array;

  constructor(inner: Watch, prefix: Uint8Array) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  watch(key: Bytes, options: WatchOptions = {}): Watcher {
    const interval = below(this.#prefix, namedInterval(key, options));
    const all = { ...withoutRange(options), ...rangeOption(interval) };
    const prefix = this.#prefix;
    return new NamespaceWatcher(this.#inner.watch(interval.key, all), (kv) =>
      shortKeyValue(kv, prefix),
    );
  }

  requestProgress(options?: { readonly requireLeader?: boolean }): Promise<void> {
    return this.#inner.requestProgress(options);
  }
}

/** Leases are the cluster's; only the names of their keys are the namespace's. */
class NamespaceLease implements Lease {
  readonly #inner: Lease;
  readonly #prefix: Uint8Array;

  constructor(inner: Lease, prefix: Uint8Array) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  grant(ttlSeconds: number, options?: CallOptions & { readonly id?: bigint }): Promise<LeaseGrant> {
    return this.#inner.grant(ttlSeconds, options);
  }

  revoke(id: bigint, options?: CallOptions): Promise<{ readonly header: Header }> {
    return this.#inner.revoke(id, options);
  }

  keepAlive(id: bigint, options?: { readonly signal?: AbortSignal }): KeepAlive {
    return this.#inner.keepAlive(id, options);
  }

  keepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseGrant> {
    return this.#inner.keepAliveOnce(id, options);
  }

  /** Of the keys attached only those below the prefix. */
  async timeToLive(
    id: bigint,
    options?: CallOptions & { readonly keys?: boolean },
  ): Promise<LeaseTimeToLive> {
    const result = await this.#inner.timeToLive(id, options);
    const prefix = this.#prefix;
    const own = result.keys.filter((key) => prefix.every((byte, i) => key[i] === byte));
    return { ...result, keys: own.map((key) => key.subarray(prefix.length)) };
  }

  leases(
    options?: CallOptions,
  ): Promise<{ readonly header: Header; readonly leases: readonly bigint[] }> {
    return this.#inner.leases(options);
  }
}

function shortKeyValue(kv: KeyValue, prefix: Uint8Array): KeyValue {
  if (kv instanceof DecodedKeyValue) return kv.withoutPrefix(prefix.length);
  return makeKeyValue(kv.key.subarray(prefix.length), kv.value, kv);
}
