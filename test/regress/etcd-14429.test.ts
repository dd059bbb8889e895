import assert from "node:assert/strict";
import { test } from "node:test";
import * as rpc from "../../src/gen/rpc_pb.js";
import { Cluster } from "./cluster.ts";

const path = "/etcdserverpb.Maintenance/Alarm";
const types = [rpc.AlarmRequestSchema, rpc.AlarmResponseSchema] as const;

// Seen to fail when ServerCore.apply() notes only entries that changed something as applied.
test("etcd 14429 (row 6): lists of alarms move the index, and the member starts again", () => {
  using cluster = new Cluster({ members: 1 });
  const [member] = cluster.members;
  cluster.put(member!, "a", "1");
  cluster.settle();
  const before = member!.core!.node.appliedIndex;
  for (let i = 0; i < 6; i++) {
    const { alarms } = cluster.call(member!, path, types, {});
    assert.deepEqual(alarms, []);
  }
  const { node, state } = member!.core!;
  assert.ok(node.appliedIndex >= before + 6, "each list is an entry");
  cluster.settle();
  assert.equal(state.writer.durableIndex, node.appliedIndex);
  cluster.crash(member!);
  cluster.start(member!);
  cluster.put(member!, "a", "2");
  assert.equal(cluster.get(member!, "a"), "2");
});
