import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./cluster.ts";

// Seen to fail when ServerCore.apply() notes only entries that changed something as applied.
test("etcd 13937 (row 5): entries that were refused when applied move the index like any other", () => {
  using cluster = new Cluster({ members: 1 });
  const [member] = cluster.members;
  const { node, state } = member!.core!;
  cluster.put(member!, "a", "1");
  cluster.settle();
  for (let i = 0; i < 20; i++) {
    const refused = cluster.refusal(member!, { kind: "put", key: "a", value: "2", lease: "99" });
    assert.equal(refused, "etcdserver: requested lease not found");
    assert.notEqual(cluster.refusal(member!, { kind: "revoke", lease: "98" }), "");
  }
  cluster.settle();
  assert.equal(state.writer.durableIndex, node.appliedIndex);
  const index = node.appliedIndex;
  cluster.crash(member!);
  cluster.start(member!);
  assert.ok(member!.core!.node.appliedIndex >= index);
  assert.equal(cluster.get(member!, "a"), "1");
  assert.equal(member!.core!.state.store.currentRevision, 2);
});
