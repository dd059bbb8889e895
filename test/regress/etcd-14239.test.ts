import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./cluster.ts";

const ids = [-1n, -(2n ** 63n), 2n ** 63n - 1n, 1n].map(String);

// Seen to fail when Lessor.restore() takes ids up to 0 for damage or leaves them out: the member
// that was restarted refuses what the others apply.
test("etcd 14239 (row 19): leases with ids at the ends of their range are alike on all members", () => {
  using cluster = new Cluster();
  const [restarted] = cluster.followers;
  for (const lease of ids) {
    cluster.kv(cluster.members[0]!, { kind: "grant", lease });
    const put = { kind: "put", key: `k${lease}`, value: "v", lease } as const;
    cluster.kv(cluster.members[1]!, put);
  }
  cluster.settle();
  cluster.crash(restarted!);
  cluster.start(restarted!);
  for (const lease of ids) {
    cluster.kv(restarted!, { kind: "put", key: `again${lease}`, value: "v", lease });
    cluster.settle();
    for (const member of cluster.members) {
      assert.equal(member.core!.state.lessor.exists(BigInt(lease)), true);
      assert.equal(member.core!.state.lessor.keysOf(BigInt(lease)).length, 2);
    }
  }
  cluster.checkEqual();
  for (const lease of ids) cluster.kv(restarted!, { kind: "revoke", lease });
  cluster.checkEqual();
  const left = cluster.kv(restarted!, { kind: "range", key: "a", end: "z" });
  assert.deepEqual(left.kind === "range" && left.kvs, []);
});
