import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { test } from "node:test";
import * as rpc from "../../src/gen/rpc_pb.js";
import { Cluster } from "./cluster.ts";

const path = "/etcdserverpb.Lease/LeaseTimeToLive";
const request = toBinary(
  rpc.LeaseTimeToLiveRequestSchema,
  create(rpc.LeaseTimeToLiveRequestSchema, { ID: 7n }),
);

// Seen to fail when LeaseRouter.timeToLiveHere() does not ask for a confirmation first.
test("etcd 17704 (row 51): a former leader does not answer how long a lease lives", () => {
  using cluster = new Cluster();
  const old = cluster.leader;
  cluster.kv(old, { kind: "grant", lease: "7" });
  cluster.isolate(old);
  const asked = cluster.ask(old, path, request);
  cluster.until("another leader", () => cluster.leader !== old);
  cluster.kv(cluster.leader, { kind: "revoke", lease: "7" });
  assert.equal(asked.bytes, null, "it cannot know");
  cluster.isolate(old, false);
  cluster.until("an answer", () => asked.error !== null);
  // An error, or what the leader that there is now told it.
  if (asked.bytes === null) return;
  assert.equal(fromBinary(rpc.LeaseTimeToLiveResponseSchema, asked.bytes).TTL, -1n);
});
