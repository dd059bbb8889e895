// An etcd in memory with the client's own interfaces: the reference model answers, watches are fed
// from its history. Calls take a random number of turns of the event loop before and after they
// are applied, so callers interleave; a seed repeats a run.
//
// FC1  A call is applied in one step: nothing happens in between.
// FC2  A transaction of conditions alone is refused: a real member answers it from what it knows,
//      which may be late, so nobody may build on it.
// FC3  A watch delivers whole revisions in order, each in a later turn than its commit.
import { fromBinaryString } from "../../src/base/bytes.ts";
import { EtcdError as ModelError } from "../../src/base/etcd-errors.ts";
import { grpcCode } from "../../src/base/grpc-code.ts";
import type { Random } from "../../src/base/ports.ts";
import { createRandom } from "../../src/base/random.ts";
import {
  CanceledError,
  ConnectionError,
  fromStatus,
  SessionExpiredError,
} from "../../src/client/errors.ts";
import {
  toDeleteRequest,
  toPutRequest,
  toRangeRequest,
  toTxnRequest,
} from "../../src/client/op.ts";
import { TxnDraft } from "../../src/client/txn.ts";
import type {
  CallOptions,
  Header,
  KeepAlive,
  Kv,
  KvWatchLease,
  Lease,
  LeaseGrant,
  Op,
  OpResult,
  ResultOf,
  TxnOp,
  TxnResult,
  Watch,
} from "../../src/client/types.ts";
import { EtcdModel, type ModelResponse } from "../model/etcd-model.ts";
import { FakeWatcher, toKeyValue, turn } from "./fake-watcher.ts";

const turnsMax = 3;

/** Where a call breaks: before it is applied, or after. Its caller cannot tell. */
export type Fault = "before" | "after";

export class FakeCluster {
  readonly model = new EtcdModel();
  /** Calls that changed or read something, by name. */
  readonly calls: string[] = [];
  readonly watchers = new Set<FakeWatcher>();
  readonly #keptAlive = new Map<bigint, Set<AbortController>>();
  readonly #random: Random;
  readonly #faults: Fault[] = [];
  #leaseId = 100n;
  /** While true every call fails as of an endpoint that does not answer. */
  isDown = false;
  readonly client: KvWatchLease;

  constructor(seed = 1) {
    this.#random = createRandom(seed);
    this.client = { kv: this.#kv(), watch: this.#watch(), lease: this.#lease() };
  }

  /** The next transactions break this way, one each. */
  failTxns(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** The lease ends as at its TTL: its keys go, its sessions hear of it. */
  expire(id: bigint): void {
    this.model.leaseRevoke(id);
    this.#feed();
    const error = new SessionExpiredError(
      grpcCode.notFound,
      "etcdserver: requested lease not found",
    );
    for (const controller of this.#keptAlive.get(id) ?? []) controller.abort(error);
  }

  compact(revision = this.model.revision): void {
    this.model.compact(revision);
  }

  /** Keys that are there, as text. */
  keys(prefix = ""): string[] {
    return [...this.model.live(this.model.revision).keys()].filter((k) => k.startsWith(prefix));
  }

  /** Resolves once `holds` does, looked at after every turn. */
  async until(holds: () => boolean): Promise<void> {
    for (let turns = 0; turns < 10_000; turns++) {
      if (holds()) return;
      await turn();
    }
    throw new Error(`Never held: ${holds.toString()}`);
  }

  header(revision = this.model.revision): Header {
    return { clusterId: 1n, memberId: 1n, revision, raftTerm: 2 };
  }

  /** Applies in one step (FC1), somewhere within a few turns. */
  async #call<T>(name: string, options: CallOptions | undefined, apply: () => T): Promise<T> {
    const signal = options?.signal;
    throwIfFired(signal);
    await this.#turns();
    throwIfFired(signal);
    const fault = name === "txn" ? this.#faults.shift() : undefined;
    if (this.isDown || fault === "before") throw broken();
    this.calls.push(name);
    const answer = apply();
    this.#feed();
    await this.#turns();
    if (fault === "after") throw broken();
    throwIfFired(signal);
    return answer;
  }

  async #turns(): Promise<void> {
    for (let turns = this.#random.below(turnsMax); turns > 0; turns--) await turn();
  }

  #feed(): void {
    for (const watcher of this.watchers) watcher.wake();
  }

  #kv(): Kv {
    const { model } = this;
    const kv: Kv = {
      get: async (key, options) => {
        const request = toRangeRequest(key, options);
        const answer = await this.#call("get", options, () => checked(model.range(request)));
        return this.#result(answer) as ResultOf<Extract<Op, { kind: "get" }>>;
      },
      put: async (key, value, options) => {
        const request = toPutRequest(key, value, options);
        const answer = await this.#call("put", options, () => checked(model.put(request)));
        return this.#result(answer) as ResultOf<Extract<Op, { kind: "put" }>>;
      },
      delete: async (key, options) => {
        const request = toDeleteRequest(key, options);
        const answer = await this.#call("delete", options, () => model.deleteRange(request));
        return this.#result(answer) as ResultOf<Extract<Op, { kind: "delete" }>>;
      },
      compact: async (revision, options) => {
        await this.#call("compact", options, () => model.compact(revision));
        return { header: this.header() };
      },
      do: async <T extends Op>(one: T, options?: CallOptions) => {
        const all: CallOptions = { ...(one.kind === "txn" ? {} : one.options), ...options };
        if (one.kind === "get") return (await kv.get(one.key, all)) as ResultOf<T>;
        if (one.kind === "put") return (await kv.put(one.key, one.value, all)) as ResultOf<T>;
        if (one.kind === "delete") return (await kv.delete(one.key, all)) as ResultOf<T>;
        return (await this.#txn(one, all)) as ResultOf<T>;
      },
      txn: () => new TxnDraft((txn, options) => this.#txn(txn, options)),
      stream: async function* (key, options) {
        yield* (await kv.get(key, options)).kvs;
      },
    };
    return kv;
  }

  async #txn(txn: TxnOp, options: CallOptions | undefined): Promise<TxnResult> {
    if (txn.success.length + txn.failure.length === 0) throw new Error("Only conditions"); // FC2
    const request = toTxnRequest(txn);
    const answer = await this.#call("txn", options, () => checked(this.model.txn(request)));
    return this.#result(answer) as TxnResult;
  }

  #result(answer: ModelResponse): OpResult {
    const header = this.header(answer.revision);
    if (answer.kind === "range") {
      const { more, count } = answer;
      return { kind: "get", header, kvs: answer.kvs.map(toKeyValue), more, count };
    }
    if (answer.kind === "put") {
      const { prevKv } = answer;
      return { kind: "put", header, prevKv: prevKv === null ? null : toKeyValue(prevKv) };
    }
    if (answer.kind === "deleteRange") {
      const prevKvs = answer.prevKvs.map(toKeyValue);
      return { kind: "delete", header, deleted: answer.deleted, prevKvs };
    }
    const responses = answer.responses.map((response) => this.#result(response));
    return { kind: "txn", header, succeeded: answer.succeeded, responses };
  }

  #watch(): Watch {
    return {
      watch: (key, options = {}) => new FakeWatcher(this, key, options),
      requestProgress: () => Promise.resolve(),
    };
  }

  #lease(): Lease {
    const grant = (id: bigint, ttlSeconds: number): LeaseGrant => {
      return { header: this.header(), id, ttlSeconds };
    };
    return {
      grant: (ttlSeconds, options) =>
        this.#call("grant", options, () => {
          const id = options?.id ?? this.#leaseId++;
          failed(this.model.leaseGrant(id));
          return grant(id, ttlSeconds);
        }),
      revoke: (id, options) =>
        this.#call("revoke", options, () => {
          failed(this.model.leaseRevoke(id));
          return { header: this.header() };
        }),
      keepAlive: (id) => this.#keepAlive(id),
      keepAliveOnce: (id, options) => this.#call("keepAliveOnce", options, () => grant(id, 1)),
      timeToLive: (id, options) =>
        this.#call("timeToLive", options, () => {
          const keys = [...(this.model.leases.get(id) ?? [])].map(fromBinaryString);
          const ttlSeconds = this.model.leases.has(id) ? 1 : -1;
          return { header: this.header(), id, ttlSeconds, grantedTtlSeconds: 1, keys };
        }),
      leases: (options) =>
        this.#call("leases", options, () => {
          return { header: this.header(), leases: [...this.model.leases.keys()] };
        }),
    };
  }

  #keepAlive(id: bigint): KeepAlive {
    const lost = new AbortController();
    const all = this.#keptAlive.get(id) ?? new Set();
    this.#keptAlive.set(id, all.add(lost));
    return {
      id,
      lost: lost.signal,
      stop: () => void all.delete(lost),
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: null }) }),
    };
  }
}

function broken(): ConnectionError {
  return new ConnectionError("fake:1", "the connection broke");
}

function throwIfFired(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CanceledError(signal.reason);
}

function checked<T>(answer: T | ModelError): T {
  if (answer instanceof ModelError) throw fromStatus(answer.code, answer.message);
  return answer;
}

function failed(error: ModelError | null): void {
  if (error !== null) throw fromStatus(error.code, error.message);
}
