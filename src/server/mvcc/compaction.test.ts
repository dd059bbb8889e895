import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../base/bytes.ts";
import { rangeRequest, Rig } from "../../../test/mvcc/rig.ts";
import { revisionMain } from "./revision.ts";
import type { RangeResult } from "./types.ts";

const compacted = "etcdserver: mvcc: required revision has been compacted";
const future = "etcdserver: mvcc: required revision is a future revision";

function metaRevision(rig: Rig, name: string): number | null {
  const row = rig.writer.view.get("meta", utf8(name));
  return row === null ? null : revisionMain(row);
}

test("the revision must be above the last compaction's and not in the future", () => {
  const rig = new Rig();
  assert.equal(rig.compact(-1), compacted);
  assert.equal(rig.compact(2), future);
  assert.equal(rig.compact(0), null);
  assert.equal(rig.compact(0), compacted);
  assert.equal(rig.compact(1), null);
});

test("a physical compaction is done when its rows are gone and that is durable", () => {
  const rig = new Rig();
  for (let i = 0; i < 5; i++) rig.put("k", String(i));
  let isDone = false;
  rig.store.compact(6, () => {
    isDone = true;
    assert.equal(metaRevision(rig, "finishedCompactRev"), 6);
  });
  rig.entry(null);
  assert.equal(isDone, false);
  rig.settle();
  assert.equal(isDone, true);
  assert.equal(rig.store.index.records.count, 1);
});

test("the schedule is durable before the first row is removed, and a restart resumes it", () => {
  const rig = new Rig(undefined, { compactionBatchLimit: 1 });
  for (let i = 0; i < 5; i++) rig.put("k", String(i));
  rig.settle();
  rig.compact(6);
  rig.hand.turn();
  assert.equal(rig.store.index.records.count, 5);
  rig.backend.flush();
  assert.equal(metaRevision(rig, "scheduledCompactRev"), 6);
  assert.equal(rig.store.index.records.count, 4);
  const after = rig.restart();
  assert.equal(after.store.compactRevision, 6);
  assert.equal(after.store.index.records.count, 5);
  after.settle();
  assert.equal(after.store.index.records.count, 1);
  assert.equal(metaRevision(after, "finishedCompactRev"), 6);
  assert.deepEqual(after.store.compactionHashes, [], "an interrupted compaction stores no hash");
});

test("the work is sliced: a batch of rows, then a pause", () => {
  const rig = new Rig(undefined, { compactionBatchLimit: 10 });
  for (let i = 0; i < 100; i++) rig.put("hot", String(i));
  rig.settle();
  rig.compact(101);
  rig.hand.turn();
  rig.backend.flush();
  const counts: number[] = [];
  for (let i = 0; i < 3; i++) {
    counts.push(rig.store.index.records.count);
    rig.hand.turn();
    rig.hand.advance(10);
  }
  assert.deepEqual(counts, [90, 80, 70]);
});

test("keys without any revision left vanish from the index", () => {
  const rig = new Rig();
  for (let i = 0; i < 1000; i++) rig.put(`k${String(i)}`, "v");
  rig.delete("k", "l");
  rig.compact(rig.put("other", "v"));
  rig.settle();
  assert.equal(rig.store.index.keys.count, 1);
  assert.equal(rig.store.index.tree.leaves.length, 1);
  assert.equal((rig.store.range(rangeRequest("k", "l")) as RangeResult).count, 0);
});

test("two compactions at once run one after the other", () => {
  const rig = new Rig();
  for (let i = 0; i < 9; i++) rig.put("k", String(i));
  const order: number[] = [];
  for (const revision of [4, 8]) {
    assert.equal(
      rig.store.compact(revision, () => order.push(revision)),
      null,
    );
    rig.entry(null);
  }
  rig.settle();
  assert.deepEqual(order, [4, 8]);
  assert.equal(rig.store.index.records.count, 3);
  assert.equal(rig.backend.openViews, 1);
});
