import assert from "node:assert/strict";
import { test } from "node:test";
import { rangeRequest, resultKvs, Rig } from "../../../test/mvcc/rig.ts";
import type { RangeResult } from "./types.ts";

test("an empty backend gives revision 1, never compacted", () => {
  const { store } = new Rig();
  assert.deepEqual([store.currentRevision, store.compactRevision], [1, -1]);
});

test("versions, create revisions and leases come back as they were", () => {
  let rig = new Rig();
  rig.put("a", "1", 5n);
  rig.put("a", "2", -6n);
  rig.put("b", "1", 5n);
  rig.put("b", "2");
  rig.put("c", "1", 5n);
  rig.delete("c");
  rig.put("a", "3", 7n);
  const kvs = (): unknown => resultKvs(rig.store.range(rangeRequest("a", "\0")) as RangeResult);
  const before = kvs();
  rig.settle();
  rig = rig.restart();
  assert.deepEqual(kvs(), before);
  assert.deepEqual([...rig.leases.byKey], [["a", 7n]]);
  assert.equal(rig.put("a", "4"), 9);
  assert.equal(rig.store.meta(Buffer.from("a"))!.version, 4);
});

test("what was not durable is gone, and the index says from where to replay", () => {
  const rig = new Rig();
  rig.put("a", "1");
  rig.settle();
  rig.put("a", "2");
  const after = rig.restart();
  assert.deepEqual([after.store.currentRevision, after.writer.durableIndex], [2, 1]);
});
