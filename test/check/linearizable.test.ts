import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../src/base/random.ts";
import { generateHistory, type GenerateOptions } from "./generate.ts";
import type { Kv, KvRequest, KvResponse, Operation } from "./history.ts";
import { isWrite } from "./kv-model.ts";
import { checkLinearizable, checkRegisters } from "./linearizable.ts";

const settings: GenerateOptions = {
  operations: 400,
  processes: 8,
  keys: 5,
  lostPerMille: 50,
  isSerializableUsed: true,
};

function history(seed: number, more: Partial<GenerateOptions> = {}): Operation[] {
  return generateHistory(createRandom(seed), { ...settings, ...more });
}

let nextId = 0;
function op(
  process: number,
  [call, returned]: [number, number],
  request: KvRequest,
  response: KvResponse | null,
): Operation {
  return { id: nextId++, process, call, returned, request, response };
}

function put(process: number, time: [number, number], value: string, revision: number): Operation {
  const response = revision === 0 ? null : ({ kind: "put", revision } as const);
  return op(process, time, { kind: "put", key: "k", value }, response);
}

function kv(value: string, mod: number, create = mod, version = 1): Kv {
  return { key: "k", value, create, mod, version, lease: "0" };
}

function get(process: number, time: [number, number], revision: number, ...kvs: Kv[]): Operation {
  return op(process, time, { kind: "range", key: "k" }, { kind: "range", revision, kvs });
}

test("generated histories of a correct store are accepted", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const verdict = checkLinearizable(history(seed, { lostPerMille: (seed % 4) * 40 }));
    assert.equal(verdict.result, "ok", `seed ${seed}`);
  }
});

test("5,000 operations with lost answers take about a second at most", () => {
  const operations = history(7, { operations: 5000, processes: 10, keys: 20 });
  const { cpuUsage } = process;
  const before = cpuUsage().user;
  assert.equal(checkLinearizable(operations).result, "ok");
  assert.ok(cpuUsage().user - before < 3e6, "slower by far than it was made");
});

test("an operation may take effect anywhere between call and return, both included", () => {
  const operations = [put(0, [0, 5], "a", 2), get(1, [5, 9], 1), get(2, [5, 9], 2, kv("a", 2))];
  assert.equal(checkLinearizable(operations).result, "ok");
});

test("a read that misses a write answered before its call is refused", () => {
  const verdict = checkLinearizable([put(0, [0, 5], "a", 2), get(1, [6, 9], 1)]);
  assert.equal(verdict.result, "violation");
  assert.ok(verdict.result === "violation" && verdict.counterexample.blocked.process === 1);
});

test("a write of unknown result may have happened, late too, or not", () => {
  const lost = put(0, [0, Infinity], "a", 0);
  assert.equal(checkLinearizable([lost, get(1, [6, 9], 1)]).result, "ok");
  assert.equal(checkLinearizable([lost, get(1, [6, 9], 2, kv("a", 2))]).result, "ok");
  const late = [lost, put(1, [6, 9], "b", 2), get(1, [10, 11], 3, kv("a", 3, 2, 2))];
  assert.equal(checkLinearizable(late).result, "ok");
});

test("a write of unknown result does not happen twice, nor come and go", () => {
  const lost = put(0, [0, Infinity], "a", 0);
  const twice = [
    lost,
    get(1, [5, 6], 2, kv("a", 2)),
    put(1, [7, 8], "b", 3),
    get(1, [9, 10], 4, kv("a", 4, 2, 3)),
  ];
  assert.equal(checkLinearizable(twice).result, "violation");
  const gone = [lost, get(1, [5, 6], 2, kv("a", 2)), get(1, [7, 8], 1)];
  assert.equal(checkLinearizable(gone).result, "violation");
});

test("a revision that is used twice or skipped is refused", () => {
  const twice = [put(0, [0, 5], "a", 2), put(1, [0, 5], "b", 2)];
  assert.equal(checkLinearizable(twice).result, "violation");
  const skipped = [put(0, [0, 5], "a", 2), put(1, [6, 8], "b", 4)];
  assert.equal(checkLinearizable(skipped).result, "violation");
});

test("a serializable read may be stale but not made up", () => {
  const stale = (kvs: Kv[], revision: number): Operation => ({
    ...get(1, [6, 9], revision, ...kvs),
    request: { kind: "range", key: "k", isSerializable: true },
  });
  assert.equal(checkLinearizable([put(0, [0, 5], "a", 2), stale([], 1)]).result, "ok");
  const madeUp = checkLinearizable([put(0, [0, 5], "a", 2), stale([kv("a", 2)], 1)]);
  assert.equal(madeUp.result, "violation");
});

test("an expired lease removes its keys in one revision that no client asked for", () => {
  const lease = "7";
  const with7 = { ...kv("a", 2), lease };
  const operations = [
    op(0, [0, 1], { kind: "grant", lease }, { kind: "grant", revision: 1 }),
    op(0, [2, 3], { kind: "put", key: "k", value: "a", lease }, { kind: "put", revision: 2 }),
    op(9, [2, Infinity], { kind: "revoke", lease }, null),
    get(1, [4, 5], 2, with7),
    get(1, [8, 9], 3),
  ];
  assert.equal(checkLinearizable(operations).result, "ok");
  operations.push(get(1, [10, 11], 3, with7));
  assert.equal(checkLinearizable(operations).result, "violation");
});

type Mutation = (operations: Operation[], random: (n: number) => number) => boolean;

/** Each breaks the history for certain, or says that it found nothing to break. */
const mutations: Record<string, Mutation> = {
  "a read shows a value that was overwritten before": (operations, random) => {
    const reads = operations.filter((o) => shown(o) !== undefined && shown(o)!.version > 1);
    return replace(operations, reads, random, (o) => ({
      ...o,
      response: {
        kind: "range",
        revision: o.response!.revision,
        kvs: [{ ...shown(o)!, value: "old" }],
      },
    }));
  },
  "a write is answered twice with one revision": (operations, random) => {
    const writes = operations.filter((o) => o.response !== null && isWrite(o.response));
    const revisions = writes.map((o) => o.response!.revision);
    return replace(operations, writes, random, (o) => ({
      ...o,
      response: { ...o.response!, revision: revisions.find((r) => r !== o.response!.revision)! },
    }));
  },
  "a transaction tells the wrong branch": (operations, random) => {
    const all = operations.filter((o) => o.response?.kind === "txn");
    return replace(operations, all, random, (o) => {
      const response = o.response as KvResponse & { kind: "txn" };
      return { ...o, response: { ...response, succeeded: !response.succeeded } };
    });
  },
  "a read goes back behind an answered write": (operations, random) => {
    const reads = operations.filter(
      (o) =>
        isPresentRead(o) &&
        operations.some((w) => w.returned < o.call && isNewer(w, o.response!.revision - 1)),
    );
    return replace(operations, reads, random, (o) => {
      const before = operations.filter((w) => w.returned < o.call && w.response !== null);
      const newest = Math.max(...before.map((w) => w.response!.revision));
      const stale = { ...o.response!, revision: newest - 1 };
      return { ...o, response: stale };
    });
  },
  "a delete counts a key too many": (operations, random) => {
    const deletes = operations.filter((o) => o.response?.kind === "delete");
    return replace(operations, deletes, random, (o) => {
      const response = o.response as KvResponse & { kind: "delete" };
      return { ...o, response: { ...response, deleted: response.deleted + 3 } };
    });
  },
};

function isPresentRead({ request, response }: Operation): boolean {
  const isPlain = request.kind === "range" && request.revision === undefined;
  return isPlain && request.isSerializable !== true && response !== null;
}

function isNewer({ response }: Operation, revision: number): boolean {
  return response !== null && response.revision > revision;
}

function shown({ response }: Operation): Kv | undefined {
  return response?.kind === "range" && response.kvs.length === 1 ? response.kvs[0] : undefined;
}

function replace(
  operations: Operation[],
  candidates: readonly Operation[],
  random: (n: number) => number,
  change: (operation: Operation) => Operation,
): boolean {
  if (candidates.length === 0) return false;
  const chosen = candidates[random(candidates.length)]!;
  operations[operations.indexOf(chosen)] = change(chosen);
  return true;
}

for (const [name, mutate] of Object.entries(mutations)) {
  test(`refused: ${name}`, () => {
    let count = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const random = createRandom(seed).fork("mutation");
      const operations = history(seed, { lostPerMille: 20 });
      if (!mutate(operations, (n) => random.below(n))) continue;
      count++;
      assert.equal(checkLinearizable(operations).result, "violation", `seed ${seed}`);
    }
    assert.ok(count >= 20, `${count} histories had something to break`);
  });
}

test("a search that is cut short says so", () => {
  assert.equal(checkLinearizable(history(3), { stepsMax: 10 }).result, "unknown");
});

test("a counterexample is short", () => {
  const operations = history(5, { lostPerMille: 0 });
  const late = put(99, [1e6, 1e6 + 1], "late", 2);
  const verdict = checkLinearizable([...operations, late]);
  assert.ok(verdict.result === "violation");
  assert.ok(verdict.counterexample.order.length <= 12);
});

test("without revisions each key is checked alone", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const all = history(seed, { lostPerMille: 10, operations: 200, isByKey: true });
    assert.equal(checkRegisters(all).result, "ok", `seed ${seed}`);
  }
  const stale = [put(0, [0, 1], "a", 2), put(0, [2, 3], "b", 3), get(1, [4, 5], 3, kv("a", 2))];
  assert.equal(checkRegisters(stale).result, "violation");
  const joined = op(0, [0, 1], { kind: "range", key: "a", end: "b" }, null);
  assert.throws(() => checkRegisters([joined]), RangeError);
});

test("by key too, a value that was never there is refused", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const all = history(seed, { lostPerMille: 10, operations: 200, isByKey: true });
    const reads = all.filter((o) => shown(o) !== undefined);
    const chosen = reads[seed % reads.length]!;
    const value = "never";
    const response = { ...chosen.response!, kvs: [{ ...shown(chosen)!, value }] } as KvResponse;
    all[all.indexOf(chosen)] = { ...chosen, response };
    assert.equal(checkRegisters(all).result, "violation", `seed ${seed}`);
  }
});
