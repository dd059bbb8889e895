import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../src/base/random.ts";
import { checkListAppend, type AppendTxn, type Micro } from "./list-append.ts";

/** Serial by construction: each transaction happens at one moment. */
function generate(seed: number, count: number): AppendTxn[] {
  const random = createRandom(seed);
  const lists = new Map<string, number[]>();
  let value = 0;
  return Array.from({ length: count }, (_, id): AppendTxn => {
    const at = id * 10;
    const draw = random.below(10);
    const outcome = draw === 0 ? "failed" : draw === 1 ? "maybe" : "done";
    const happens = outcome === "done" || (outcome === "maybe" && random.below(2) === 0);
    const local = new Map([...lists].map(([key, list]) => [key, [...list]]));
    const micros = Array.from({ length: 1 + random.below(4) }, (): Micro => {
      const key = `k${random.below(4)}`;
      const list = local.get(key) ?? [];
      if (random.below(2) === 0) {
        const isKnown = outcome === "done";
        return { kind: "read", key, list: isKnown ? [...list] : null };
      }
      local.set(key, [...list, ++value]);
      return { kind: "append", key, value };
    });
    if (happens) for (const [key, list] of local) lists.set(key, list);
    const returned = outcome === "maybe" ? Infinity : at + 1 + random.below(40);
    return { id, call: at - random.below(40), returned, outcome, micros };
  });
}

let nextId = 0;
function txn(call: number, returned: number, ...micros: Micro[]): AppendTxn {
  return { id: nextId++, call, returned, outcome: "done", micros };
}
const append = (key: string, value: number): Micro => ({ kind: "append", key, value });
const read = (key: string, ...list: number[]): Micro => ({ kind: "read", key, list });

function kinds(...txns: AppendTxn[]): string[] {
  return [...new Set(checkListAppend(txns).map((anomaly) => anomaly.kind))];
}

test("histories of serial transactions are accepted", () => {
  for (let seed = 1; seed <= 50; seed++) {
    assert.deepEqual(checkListAppend(generate(seed, 200)), [], `seed ${seed}`);
  }
});

test("5,000 transactions are checked in about a second at most", () => {
  const txns = generate(1, 5000).map((t) => ({ ...t, micros: spread(t.micros, t.id) }));
  const before = process.cpuUsage().user;
  assert.deepEqual(checkListAppend(txns), []);
  assert.ok(process.cpuUsage().user - before < 3e6);
});

/** Short lists: a set of keys for every hundred transactions. */
function spread(micros: readonly Micro[], id: number): Micro[] {
  const cut = Math.floor(id / 100);
  return micros.filter((m) => m.kind === "append").map((m) => ({ ...m, key: `${m.key}-${cut}` }));
}

test("write skew is a cycle", () => {
  const a = txn(0, 9, read("x"), append("y", 1));
  const b = txn(0, 9, read("y"), append("x", 2));
  const c = txn(20, 30, read("x", 2), read("y", 1));
  assert.deepEqual(kinds(a, b, c), ["cycle"]);
});

test("a read that misses an answered append is a cycle through real time", () => {
  const a = txn(0, 5, append("x", 1));
  const stale = txn(6, 8, read("x"));
  const later = txn(9, 10, read("x", 1));
  assert.deepEqual(kinds(a, stale, later), ["cycle"]);
  assert.deepEqual(kinds({ ...a, returned: 7 }, stale, later), []);
});

test("an append that nobody can see any more is lost", () => {
  assert.deepEqual(kinds(txn(0, 5, append("x", 1)), txn(6, 8, read("x", 2), append("y", 2))), [
    "unexpected",
    "lost-append",
  ]);
  const lost = kinds(txn(0, 5, append("x", 1)), txn(0, 5, append("x", 2)), txn(6, 8, read("x", 2)));
  assert.deepEqual(lost, ["lost-append"]);
});

test("aborted, intermediate, doubled and forked reads are told by name", () => {
  const failed: AppendTxn = { ...txn(0, 5, append("x", 1)), outcome: "failed" };
  assert.deepEqual(kinds(failed, txn(6, 8, read("x", 1))), ["aborted-read"]);
  const two = txn(0, 5, append("x", 1), append("x", 2));
  assert.deepEqual(kinds(two, txn(1, 8, read("x", 1))), ["intermediate-read"]);
  const one = txn(0, 5, append("x", 1));
  assert.deepEqual(kinds(one, txn(1, 8, read("x", 1, 1))), ["duplicate"]);
  const fork = [txn(0, 5, append("x", 2)), txn(6, 7, read("x", 1, 2)), txn(8, 9, read("x", 2, 1))];
  assert.deepEqual(kinds(one, ...fork), ["incompatible-order"]);
});

test("a transaction that does not see its own append is refused", () => {
  assert.deepEqual(kinds(txn(0, 5, append("x", 1), read("x"))), ["internal"]);
});

test("a list cut short somewhere in a good history is refused", () => {
  let count = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const txns = generate(seed, 150);
    const at = txns.findIndex(
      (t) => t.id > 60 && t.outcome === "done" && t.micros.some((m) => m.kind === "read"),
    );
    if (at === -1) continue;
    const micros = txns[at]!.micros.map((m) => (m.kind === "read" ? { ...m, list: [] } : m));
    if (txns[at]!.micros.every((m) => m.kind !== "read" || m.list!.length === 0)) continue;
    count++;
    txns[at] = { ...txns[at]!, micros };
    assert.notDeepEqual(checkListAppend(txns), [], `seed ${seed}`);
  }
  assert.ok(count > 20);
});
