import assert from "node:assert/strict";
import { test } from "node:test";
import { makeKeyValue } from "../../codec/client/key-value.ts";
import { op } from "../op.ts";
import type { Header, KeyValue, Watcher } from "../types.ts";
import { LeasingEntry } from "./leasing-entry.ts";

const header = (revision: number): Header => ({
  clusterId: 1n,
  memberId: 2n,
  revision,
  raftTerm: 3,
});
const kvOf = (value: string, lease = 0n): KeyValue =>
  makeKeyValue(Buffer.from("k"), Buffer.from(value), {
    ...{ createRevision: 5, modRevision: 5, version: 1 },
    lease,
  });
const monitor = {} as Watcher; // not used by an entry

function knowing(kv: KeyValue | null): LeasingEntry {
  const entry = new LeasingEntry(5, monitor, header(5));
  entry.learn(kv, header(5), entry.changes);
  return entry;
}

test("a write makes what is in memory what the key holds now", () => {
  const entry = knowing(kvOf("1"));
  entry.beginWrite();
  entry.put(op.put("k", "2"), header(9));
  entry.endWrite();
  const answer = entry.answer({});
  assert.deepEqual(answer.header, header(9));
  const [kv] = answer.kvs;
  assert.deepEqual(
    [kv?.string(), kv?.createRevision, kv?.modRevision, kv?.version],
    ["2", 5, 9, 2],
  );
  entry.put(op.put("k", "", { ignoreValue: true }), header(10));
  assert.equal(entry.answer({}).kvs[0]?.string(), "2");
  entry.deleted(header(11));
  assert.deepEqual([entry.answer({}).count, entry.answer({}).kvs], [0, []]);
  entry.put(op.put("k", "3"), header(12));
  assert.deepEqual(entry.answer({}).kvs[0]?.createRevision, 12);
});

test("filters and forms of a get are obeyed", () => {
  const entry = knowing(kvOf("1"));
  assert.equal(entry.answer({ minModRevision: 5, maxCreateRevision: 5 }).kvs.length, 1);
  assert.equal(entry.answer({ minModRevision: 6 }).kvs.length, 0);
  assert.equal(entry.answer({ maxModRevision: 4 }).kvs.length, 0);
  assert.equal(entry.answer({ minCreateRevision: 6 }).kvs.length, 0);
  assert.deepEqual(
    [entry.answer({ countOnly: true }).count, entry.answer({ countOnly: true }).kvs],
    [1, []],
  );
  assert.equal(entry.answer({ keysOnly: true }).kvs[0]?.string(), "");
});

test("several writes at once leave the value unknown", async () => {
  const entry = knowing(kvOf("1"));
  entry.beginWrite();
  entry.beginWrite();
  entry.put(op.put("k", "2"), header(9));
  entry.endWrite();
  const order: string[] = [];
  const settled = entry.settled().then(() => order.push("settled"));
  order.push("second write");
  entry.deleted(header(8));
  entry.endWrite();
  await settled;
  assert.deepEqual(order, ["second write", "settled"]);
  assert.equal(entry.isKnown, false);
});

test("what was read across a write, or goes away by itself, is not kept", () => {
  const across = new LeasingEntry(5, monitor, header(5));
  const before = across.changes;
  across.beginWrite();
  across.endWrite();
  across.learn(kvOf("1"), header(5), before);
  assert.equal(across.isKnown, false);
  assert.equal(knowing(kvOf("1", 7n)).isKnown, false);
  const leased = knowing(kvOf("1"));
  leased.put(op.put("k", "2", { lease: 7n }), header(9));
  assert.equal(leased.isKnown, false);
});
