/** Histories of a correct store, with clients that overlap and answers that get lost. */

import type { Random } from "../../src/base/ports.ts";
import type { Kv, KvRequest, KvResponse, Operation } from "./history.ts";

export interface GenerateOptions {
  readonly operations: number;
  readonly processes: number;
  readonly keys: number;
  /** In thousand. */
  readonly lostPerMille: number;
  readonly isSerializableUsed: boolean;
  /** Every operation is on one key and depends on values only. */
  readonly isByKey?: boolean;
}

type Store = Map<string, Kv>;

/** One etcd: does what it is asked, at once. Written apart from the checker's model. */
export class PlainStore {
  revision = 1;
  keys: Store = new Map();
  /** Every state, by revision. */
  readonly past: Store[] = [new Map<string, Kv>(), new Map<string, Kv>()];

  run(request: KvRequest): KvResponse {
    const keys = new Map(this.keys);
    const response = this.#on(keys, request);
    if (changed(response)) {
      this.revision++;
      this.keys = keys;
      this.past[this.revision] = keys;
    }
    return { ...response, revision: this.revision };
  }

  #on(keys: Store, request: KvRequest): KvResponse {
    switch (request.kind) {
      case "put": {
        const old = keys.get(request.key);
        const mod = this.revision + 1;
        const [create, version] = [old?.create ?? mod, 1 + (old?.version ?? 0)];
        const { key, value } = request;
        keys.set(key, { key, value, create, mod, version, lease: "0" });
        return { kind: "put", revision: 0 };
      }
      case "delete": {
        const gone = between(keys, request.key, request.end);
        for (const kv of gone) keys.delete(kv.key);
        return { kind: "delete", revision: 0, deleted: gone.length };
      }
      case "range": {
        const from = request.revision === undefined ? keys : this.past[request.revision]!;
        return { kind: "range", revision: 0, kvs: between(from, request.key, request.end) };
      }
      case "txn": {
        const succeeded = request.compares.every(({ key, target, operand }) => {
          const kv = keys.get(key);
          return kv === undefined ? target !== "value" && operand === 0 : kv[target] === operand;
        });
        const ops = succeeded ? request.success : request.failure;
        const responses = ops.map((op) => this.#on(keys, op));
        return { kind: "txn", revision: 0, succeeded, responses };
      }
      case "grant":
      case "revoke":
        return { kind: request.kind, revision: 0 };
    }
  }
}

function changed(response: KvResponse): boolean {
  if (response.kind === "txn") return response.responses.some(changed);
  return response.kind === "put" || (response.kind === "delete" && response.deleted > 0);
}

function between(keys: Store, from: string, end: string | undefined): Kv[] {
  const all = [...keys.values()].filter((kv) =>
    end === undefined ? kv.key === from : kv.key >= from && kv.key < end,
  );
  return all.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Linearizable by construction: each operation happens at one moment between call and return. */
export function generateHistory(random: Random, options: GenerateOptions): Operation[] {
  const moments = plan(random, options);
  const store = new PlainStore();
  let value = 0;
  const operations = moments.map(({ process, call, returned, isLost }, id): Operation => {
    const request = draw(random, options, store, () => `v${++value}`);
    const isStale = request.kind === "range" && request.isSerializable === true;
    const happens = !isLost || random.below(2) === 0;
    const response = happens && !isStale ? store.run(request) : staleRead(random, store, request);
    if (isLost) return { id, process, call, returned: Infinity, request, response: null };
    return { id, process, call, returned, request, response };
  });
  return operations.sort((a, b) => a.call - b.call).map((o, id) => ({ ...o, id }));
}

interface Moment {
  readonly process: number;
  readonly call: number;
  readonly at: number;
  readonly returned: number;
  readonly isLost: boolean;
}

function plan(random: Random, options: GenerateOptions): Moment[] {
  const free = new Array<number>(options.processes).fill(0);
  const moments = Array.from({ length: options.operations }, (): Moment => {
    const process = free.indexOf(Math.min(...free));
    const call = free[process]! + random.below(5);
    const at = call + 1 + random.below(20);
    const returned = at + 1 + random.below(20);
    free[process] = returned + 1;
    return { process, call, at, returned, isLost: random.below(1000) < options.lostPerMille };
  });
  return moments.sort((a, b) => a.at - b.at);
}

function draw(
  random: Random,
  options: GenerateOptions,
  store: PlainStore,
  newValue: () => string,
): KvRequest {
  const key = `k${random.below(options.keys)}`;
  const kind = random.below(12);
  if (options.isByKey === true) return drawByKey(kind, key, store, newValue);
  if (kind < 4) return { kind: "put", key, value: newValue() };
  if (kind === 4) return { kind: "delete", key };
  if (kind === 5) return { kind: "delete", key, end: `${key}~` };
  if (kind === 6) return { kind: "range", key: "k", end: "l" };
  if (kind === 7 && options.isSerializableUsed) {
    return { kind: "range", key, isSerializable: true };
  }
  if (kind === 8) return { kind: "range", key, revision: 1 + random.below(store.revision) };
  if (kind > 9) return { kind: "range", key };
  const guess = random.below(3) === 0 ? store.revision : (store.keys.get(key)?.mod ?? 0);
  return {
    kind: "txn",
    compares: [{ key, target: "mod", result: "=", operand: guess }],
    success: [
      { kind: "put", key, value: newValue() },
      { kind: "put", key: `${key}x`, value: newValue() },
    ],
    failure: [{ kind: "range", key }],
  };
}

function drawByKey(
  kind: number,
  key: string,
  store: PlainStore,
  newValue: () => string,
): KvRequest {
  if (kind < 4) return { kind: "put", key, value: newValue() };
  if (kind === 4) return { kind: "delete", key };
  if (kind > 6) return { kind: "range", key };
  const operand = kind === 5 ? "v1" : (store.keys.get(key)?.value ?? "");
  return {
    kind: "txn",
    compares: [{ key, target: "value", result: "=", operand }],
    success: [{ kind: "put", key, value: newValue() }],
    failure: [{ kind: "range", key }],
  };
}

/** Of a member that lags. */
function staleRead(random: Random, store: PlainStore, request: KvRequest): KvResponse {
  const revision = 1 + random.below(store.revision);
  const kvs =
    request.kind === "range" ? between(store.past[revision]!, request.key, request.end) : [];
  return { kind: "range", revision, kvs };
}
