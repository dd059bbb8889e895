import assert from "node:assert/strict";
import { test } from "node:test";
import { isServedByLearner } from "./learner.ts";

const none = new Uint8Array(0);

test("a learner tells its status, gives its snapshot and reads its own state", () => {
  assert.equal(isServedByLearner("/etcdserverpb.Maintenance/Status", none), true);
  assert.equal(isServedByLearner("/etcdserverpb.Maintenance/Snapshot", none), true);
  const range = "/etcdserverpb.KV/Range";
  const serializable = Uint8Array.of(0x0a, 1, 97, 0x38, 1);
  assert.equal(isServedByLearner(range, serializable), true);
  assert.equal(isServedByLearner(range, Uint8Array.of(0x0a, 1, 97)), false);
  assert.equal(isServedByLearner(range, Uint8Array.of(0x38, 1, 0x38, 0)), false);
});

test("a learner refuses everything else", () => {
  const paths = [
    "KV/Put",
    "KV/RangeStream",
    "Watch/Watch",
    "Cluster/MemberList",
    "Maintenance/Hash",
  ];
  for (const path of paths) assert.equal(isServedByLearner(`/etcdserverpb.${path}`, none), false);
});
