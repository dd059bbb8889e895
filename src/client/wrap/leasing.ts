// A cache of single keys that never answers a stale value: whoever reads a key often holds it, and
// gives it back before another client changes it. All writers of the keys must write through such
// a wrapper (ours or Go's) with the same prefix.
//
// LE1  A value is answered from memory only while its leasing key is held and no write of our own
//      to the key is under way.
// LE2  Every write carries the condition that nobody else holds the leasing keys of what it writes.
// LE3  After a write whose outcome is not known, or not alone, the value in memory counts as
//      unknown and is read again.
import { toBinaryString } from "../../base/bytes.ts";
import { compare } from "../compare.ts";
import { intervalOf, toBytes, type Interval } from "../input.ts";
import { isWrite, op } from "../op.ts";
import { TxnDraft } from "../txn.ts";
import type {
  Bytes,
  CallOptions,
  Compare,
  DeleteOp,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  GetResult,
  Header,
  KeyValue,
  Kv,
  KvWatchLease,
  Op,
  OpResult,
  PutOp,
  PutOptions,
  PutResult,
  ResultOf,
  TxnOp,
  TxnResult,
} from "../types.ts";
import { below } from "./interval.ts";
import type { LeasingEntry } from "./leasing-entry.ts";
import { LeasingKeys, type LeasingOptions } from "./leasing-keys.ts";

type WriteOp = PutOp | DeleteOp;

export class LeasingKv implements Kv {
  readonly #client: KvWatchLease;
  readonly #prefix: Uint8Array;
  readonly #keys: LeasingKeys;

  private constructor(client: KvWatchLease, prefix: Uint8Array, options: LeasingOptions) {
    this.#client = client;
    this.#prefix = prefix;
    this.#keys = new LeasingKeys(client, prefix, options);
  }

  /** `prefix`: before the leasing keys, away from all other keys; the same for all who share. */
  static async create(
    client: KvWatchLease,
    prefix: Bytes,
    options: LeasingOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<LeasingKv> {
    const made = new LeasingKv(client, toBytes(prefix, "prefix"), options);
    await made.#keys.start(options.signal);
    return made;
  }

  /** Gives all keys back. The client stays open. */
  close(): Promise<void> {
    return this.#keys.close();
  }

  async get(key: Bytes, options: GetOptions = {}): Promise<GetResult> {
    const interval = intervalOf(key, options);
    const isPlain = interval.rangeEnd.length === 0 && (options.revision ?? 0) === 0;
    if (!isPlain) return this.#client.kv.get(key, options);
    const name = toBinaryString(interval.key);
    for (let entry = this.#keys.entry(name); entry !== undefined;) {
      await entry.settled(); // LE1
      const now = this.#keys.entry(name);
      if (now === entry && entry.isKnown) return entry.answer(options);
      if (now === entry) break;
      entry = now;
    }
    if (options.serializable === true || !this.#keys.mayAcquire(name)) {
      return this.#client.kv.get(key, options);
    }
    return this.#keys.acquire(name, options, callOf(options));
  }

  async put(key: Bytes, value: Bytes, options: PutOptions = {}): Promise<PutResult> {
    const result = await this.#writeKey(op.put(key, value, options), callOf(options));
    return result as PutResult;
  }

  async delete(key: Bytes, options: DeleteOptions = {}): Promise<DeleteResult> {
    const write = op.delete(key, options);
    if (intervalOf(key, options).rangeEnd.length === 0) {
      return (await this.#writeKey(write, callOf(options))) as DeleteResult;
    }
    const result = await this.#writeAll(op.txn([], [write]), callOf(options));
    return { ...(result.responses[0] as DeleteResult), header: result.header };
  }

  compact(
    revision: number,
    options?: CallOptions & { readonly physical?: boolean },
  ): Promise<{ readonly header: Header }> {
    return this.#client.kv.compact(revision, options);
  }

  async do<T extends Op>(op: T, options?: CallOptions): Promise<ResultOf<T>> {
    return (await this.#do(op, options)) as ResultOf<T>;
  }

  /** One that only reads goes to the server: its keys are not cached. */
  txn(): TxnDraft {
    return new TxnDraft((one, options) => this.do(one, options));
  }

  stream(key: Bytes, options?: GetOptions): AsyncIterable<KeyValue> {
    return this.#client.kv.stream(key, options);
  }

  #do(one: Op, options: CallOptions | undefined): Promise<OpResult> {
    switch (one.kind) {
      case "get":
        return this.get(one.key, { ...one.options, ...options });
      case "put":
        return this.put(one.key, one.value, { ...one.options, ...options });
      case "delete":
        return this.delete(one.key, { ...one.options, ...options });
      case "txn":
        return isWrite(one) ? this.#writeAll(one, options ?? {}) : this.#client.kv.do(one, options);
    }
  }

  /** A put or delete of one key: one round trip, unless another client holds it. */
  async #writeKey(write: WriteOp, call: CallOptions): Promise<OpResult> {
    const name = toBinaryString(toBytes(write.key, "key"));
    for (;;) {
      const entry = this.#keys.entry(name);
      entry?.beginWrite();
      try {
        const result = await this.#keys.revoke(name, write, call);
        if (result !== null) {
          if (entry !== undefined) applied(entry, write, result.header);
          return { ...result.responses[0]!, header: result.header };
        }
      } catch (error) {
        entry?.forget(); // LE3
        throw error;
      } finally {
        entry?.endWrite();
      }
    }
  }

  /** Any transaction that writes. */
  async #writeAll(txn: TxnOp, call: CallOptions): Promise<TxnResult> {
    const writes = writesOf(txn);
    for (;;) {
      const guards = new Map<string, Compare>();
      for (const write of writes) await this.#guard(guards, write, call);
      const entries = this.#entriesOf(writes);
      for (const entry of entries.values()) entry.beginWrite();
      try {
        const result = await this.#client.kv
          .txn()
          .if(...guards.values())
          .then(txn)
          .commit(call);
        if (!result.succeeded) continue;
        const inner = { ...result.responses[0], header: result.header };
        this.#appliedAll(entries, txn, inner);
        return inner;
      } catch (error) {
        for (const entry of entries.values()) entry.forget(); // LE3
        throw error;
      } finally {
        for (const entry of entries.values()) entry.endWrite();
      }
    }
  }

  /** LE2: the condition of one write, once no other client holds what it writes. */
  async #guard(guards: Map<string, Compare>, write: WriteOp, call: CallOptions): Promise<void> {
    const interval = this.#intervalOf(write);
    const range = this.#leasingRange(interval);
    const held = await this.#client.kv.get(range.key, {
      ...call,
      ...(range.rangeEnd.length === 0 ? {} : { rangeEnd: range.rangeEnd }),
    });
    let newest = 0;
    for (const leasingKey of held.kvs) {
      const name = toBinaryString(leasingKey.key.subarray(this.#prefix.length));
      if (this.#keys.holds(name, leasingKey.lease)) {
        newest = Math.max(newest, leasingKey.createRevision);
      } else {
        await this.#keys.revoke(name, op.get(leasingKey.key), call);
      }
    }
    const ends = range.rangeEnd.length === 0 ? undefined : { rangeEnd: range.rangeEnd };
    const id = `${toBinaryString(range.key)}\0${toBinaryString(range.rangeEnd)}`;
    guards.set(id, compare.create(range.key, ends).lessThan(newest + 1));
  }

  #intervalOf(write: WriteOp): Interval {
    if (write.kind === "delete") return intervalOf(write.key, write.options);
    return intervalOf(write.key);
  }

  #leasingRange(interval: Interval): Interval {
    return below(this.#prefix, interval);
  }

  #entriesOf(writes: readonly WriteOp[]): Map<LeasingEntry, LeasingEntry> {
    const found = new Map<LeasingEntry, LeasingEntry>();
    for (const write of writes) {
      for (const entry of this.#entriesIn(write)) found.set(entry, entry);
    }
    return found;
  }

  #entriesIn(write: WriteOp): Iterable<LeasingEntry> {
    const { key, rangeEnd } = this.#intervalOf(write);
    const name = toBinaryString(key);
    if (rangeEnd.length > 0) return this.#keys.entriesIn(name, toBinaryString(rangeEnd));
    const entry = this.#keys.entry(name);
    return entry === undefined ? [] : [entry];
  }

  /** Brings the values in memory up to what the branches that ran have written. */
  #appliedAll(
    entries: ReadonlyMap<LeasingEntry, LeasingEntry>,
    txn: TxnOp,
    result: TxnResult,
  ): void {
    const branch = result.succeeded ? txn.success : txn.failure;
    for (const [i, one] of branch.entries()) {
      const answer = result.responses[i];
      if (one.kind === "txn" && answer?.kind === "txn") {
        this.#appliedAll(entries, one, { ...answer, header: result.header });
      } else if (one.kind === "put" || one.kind === "delete") {
        for (const entry of this.#entriesIn(one)) {
          if (entries.has(entry)) applied(entry, one, result.header);
        }
      }
    }
  }
}

function applied(entry: LeasingEntry, write: WriteOp, header: Header): void {
  if (write.kind === "put") entry.put(write, header);
  else entry.deleted(header);
}

/** All puts and deletes that a transaction may come to. */
function writesOf(txn: TxnOp): WriteOp[] {
  return [...txn.success, ...txn.failure].flatMap((one) => {
    if (one.kind === "txn") return writesOf(one);
    return one.kind === "get" ? [] : [one];
  });
}

/** What concerns the call, of options that also concern its operation. */
function callOf({ signal, timeoutMs, requireLeader }: CallOptions): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(requireLeader === undefined ? {} : { requireLeader }),
  };
}
