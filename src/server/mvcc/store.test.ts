import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../../base/etcd-errors.ts";
import { plainKv, rangeRequest, resultKvs, Rig } from "../../../test/mvcc/rig.ts";
import type { RangeRequest } from "../../codec/messages.ts";

function get(rig: Rig, key: string, end = "", more: Partial<RangeRequest> = {}): unknown {
  const outcome = rig.store.range(rangeRequest(key, end, more));
  if (outcome instanceof EtcdError) return outcome.message;
  return resultKvs(outcome).map((kv) => `${kv.key}=${kv.value}@${String(kv.mod)}`);
}

function filled(): Rig {
  const rig = new Rig();
  rig.put("a", "1");
  rig.put("b", "2");
  rig.put("c", "3");
  rig.put("b", "22");
  rig.delete("a");
  return rig;
}

test("each write gets the next revision, starting at 2, and a delete of nothing none", () => {
  const rig = new Rig();
  assert.equal(rig.store.currentRevision, 1);
  assert.equal(rig.put("k", "v"), 2);
  assert.equal(rig.put("k", "v"), 3);
  assert.equal(rig.delete("missing"), 3);
  assert.equal(rig.delete("k"), 4);
});

test("a range shows each key at the revision asked for", () => {
  const rig = filled();
  assert.deepEqual(get(rig, "a", "\0"), ["b=22@5", "c=3@4"]);
  assert.deepEqual(get(rig, "a", "\0", { revision: 4 }), ["a=1@2", "b=2@3", "c=3@4"]);
  assert.deepEqual(get(rig, "a", "c", { revision: 5 }), ["a=1@2", "b=22@5"]);
  assert.deepEqual(get(rig, "a"), []);
  assert.deepEqual(get(rig, "b"), ["b=22@5"]);
  assert.deepEqual(get(rig, "c", "b"), []);
  assert.equal(
    get(rig, "a", "", { revision: 7 }),
    "etcdserver: mvcc: required revision is a future revision",
  );
});

test("limit cuts and sets more while count tells all", () => {
  const rig = filled();
  const result = rig.store.range(rangeRequest("a", "\0", { limit: 1 }));
  assert.ok(!(result instanceof EtcdError));
  assert.deepEqual(
    [result.count, result.more, resultKvs(result).map((kv) => kv.key)],
    [2, true, ["b"]],
  );
});

test("order none on another target takes the first limit + 1 keys before it sorts", () => {
  const rig = new Rig();
  for (const [key, value] of ["a9", "b8", "c1"].map((pair) => [...pair])) rig.put(key!, value!);
  const sort = { limit: 1, sortTarget: 4 };
  assert.deepEqual(get(rig, "a", "\0", sort), ["b=8@3"]);
  assert.deepEqual(get(rig, "a", "\0", { ...sort, sortOrder: 1 }), ["c=1@4"]);
  assert.deepEqual(get(rig, "a", "\0", { sortOrder: 2 }), ["c=1@4", "b=8@3", "a=9@2"]);
});

test("keys_only leaves the lease out unless sorted by value", () => {
  const rig = new Rig();
  rig.put("k", "v", -5n);
  const kvs = (more: Partial<RangeRequest>): unknown => {
    const outcome = rig.store.range(rangeRequest("k", "\0", { keysOnly: true, ...more }));
    return outcome instanceof EtcdError ? null : resultKvs(outcome);
  };
  const kv = { key: "k", value: "", create: 2, mod: 2, version: 1, lease: 0n };
  assert.deepEqual(kvs({}), [kv]);
  assert.deepEqual(kvs({ sortTarget: 4 }), [{ ...kv, lease: -5n }]);
});

test("a transaction sees its own writes and shares one revision", () => {
  const rig = new Rig();
  const txn = rig.store.begin();
  assert.equal(txn.revision, 1);
  txn.put(Buffer.from("a"), Buffer.from("1"), 0n);
  assert.equal(txn.revision, 2);
  txn.put(Buffer.from("b"), Buffer.from("2"), 0n);
  assert.equal(txn.range(rangeRequest("a", "\0")).count, 2);
  assert.equal(txn.deleteRange(Buffer.from("a"), Buffer.from("")), 1);
  assert.equal(txn.meta(Buffer.from("a")), null);
  assert.deepEqual(plainKv(txn.keyValue(Buffer.from("b"))!).value, "2");
  const events: string[] = [];
  rig.store.setListener({
    committed(revision, all) {
      for (const e of all) events.push(`${String(revision)}.${String(e.sub)} ${plainKv(e.kv).key}`);
    },
  });
  assert.equal(txn.end(), 2);
  assert.deepEqual(events, ["2.0 a", "2.1 b", "2.2 a"]);
});

test("put attaches, a put without lease and a delete detach", () => {
  const rig = new Rig();
  const attached = (): string[] => [...rig.leases.byKey].map(([key, id]) => `${key}:${String(id)}`);
  rig.put("a", "1", 7n);
  rig.put("b", "1", 8n);
  assert.deepEqual(attached(), ["a:7", "b:8"]);
  rig.put("a", "1", 8n);
  rig.put("b", "1");
  assert.deepEqual(attached(), ["a:8"]);
  rig.delete("a");
  assert.deepEqual(attached(), []);
});

test("values dropped from memory are read from the backend again", () => {
  const rig = new Rig(undefined, { slabBytes: 64, cacheBytesMax: 64 });
  for (let i = 0; i < 20; i++) rig.put(`k${String(i)}`, `value ${String(i)}`);
  const before = get(rig, "k", "l");
  rig.settle();
  rig.put("other", "x"); // makes room: slabs go when a new one is needed
  assert.ok(rig.store.slabs.bytes <= 256);
  assert.deepEqual(get(rig, "k", "l"), before);
});

test("a large range in slices keeps its revision while writes go on", () => {
  const rig = new Rig(undefined, { rangeKeysPerTurn: 7 });
  for (let i = 10; i < 60; i++) rig.put(`k${String(i)}`, "old");
  let answer: string[] | null = null;
  const now = rig.store.rangeSliced(rangeRequest("k", "l"), (outcome) => {
    assert.ok(!(outcome instanceof EtcdError));
    answer = resultKvs(outcome).map((kv) => kv.value);
    rig.store.releaseRange(outcome);
  });
  assert.equal(now, null);
  rig.delete("k", "l");
  rig.compact(rig.store.currentRevision);
  rig.settle();
  assert.deepEqual(answer, new Array(50).fill("old"));
  assert.equal(rig.store.index.keys.count, 50, "tombstones at the compact revision stay");
});

test("a cursor gives pieces at one revision, the count last, and ends when compacted", () => {
  const rig = new Rig();
  for (let i = 10; i < 20; i++) rig.put(`k${String(i)}`, "v");
  const open = (): Exclude<ReturnType<typeof rig.store.rangeCursor>, EtcdError> => {
    const cursor = rig.store.rangeCursor(rangeRequest("k", "l", { limit: 7 }));
    assert.ok(!(cursor instanceof EtcdError));
    return cursor;
  };
  const cursor = open();
  const sizes: unknown[] = [];
  for (;;) {
    const piece = cursor.next(3);
    assert.ok(!(piece instanceof EtcdError));
    sizes.push(resultKvs(piece).length);
    rig.put("k10", "changed");
    if (!piece.isLast) continue;
    sizes.push(piece.count, piece.more);
    break;
  }
  assert.deepEqual(sizes, [3, 3, 1, 10, true]);
  const cut = open();
  rig.put("k10", "again");
  rig.compact(rig.store.currentRevision);
  assert.ok(cut.next(3) instanceof EtcdError);
});

test("history gives whole revisions from backend and memory, in order", () => {
  const rig = filled();
  rig.settle();
  rig.put("d", "4");
  const read = (from: number, events: number): string => {
    const batch = rig.store.history(from, 99, { events, bytes: 1e6 });
    if (batch instanceof EtcdError) return batch.message;
    const list = batch.events.map(
      (e) =>
        `${e.isDelete ? "-" : "+"}${Buffer.from(e.key).toString()}@${String(plainKv(e.kv).mod)}`,
    );
    return `${list.join(" ")} next ${String(batch.next)}`;
  };
  assert.equal(read(4, 99), "+c@4 +b@5 -a@6 +d@7 next 8");
  assert.equal(read(2, 2), "+a@2 +b@3 next 4");
  assert.equal(read(8, 2), " next 8");
  assert.equal(plainKv(rig.store.prevKeyValue(Buffer.from("b"), 5)!).value, "2");
  assert.equal(rig.store.prevKeyValue(Buffer.from("b"), 3), null);
  rig.compact(5);
  assert.equal(read(4, 9), "etcdserver: mvcc: required revision has been compacted");
  assert.equal(rig.store.prevKeyValue(Buffer.from("b"), 5), null);
});
