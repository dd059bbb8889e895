import assert from "node:assert/strict";
import { test } from "node:test";
import * as rpc from "../../src/gen/rpc_pb.js";
import { Cluster } from "./cluster.ts";

const keepAlive = "/etcdserverpb.Lease/LeaseKeepAlive";
const types = [rpc.LeaseKeepAliveRequestSchema, rpc.LeaseKeepAliveResponseSchema] as const;

// LeaseExpiry alone: src/server/lease-expiry.test.ts. Here other rules protect the lease as well.
// Seen to fail when LeaseExpiry proposes at once what the lessor found (LX1) and a member that lost
// the leadership keeps its expiry times (LS3): its revocation is forwarded to the new leader.
test("etcd 12528, 15247 (row 47): a leader that stood still revokes no lease that is kept alive", () => {
  for (const isCutOff of [false, true]) {
    using cluster = new Cluster();
    const paused = cluster.leader;
    cluster.kv(paused, { kind: "grant", lease: "7" }); // 2 seconds
    cluster.kv(paused, { kind: "put", key: "held", value: "v", lease: "7" });
    cluster.settle();
    // The leader stands still, or only hears and says nothing, for longer than the TTL.
    if (isCutOff) cluster.isolate(paused);
    else paused.life!.wakesAt = cluster.world.scheduler.now + 6000;
    cluster.until("another leader", () => cluster.leader !== paused);
    const { leader } = cluster;
    const renew = (): void => {
      const { TTL: ttl } = cluster.call(leader, keepAlive, types, { ID: 7n });
      assert.equal(ttl, 2n);
    };
    for (let i = 0; i < 12; i++) {
      renew();
      cluster.pass(500);
    }
    cluster.isolate(paused, false);
    for (let i = 0; i < 8; i++) {
      renew();
      cluster.pass(500);
    }
    assert.equal(cluster.get(leader, "held"), "v");
    cluster.checkEqual();
  }
});
