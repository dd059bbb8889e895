import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { clusterId, memberId } from "./member-id.ts";

const sha1 = (bytes: Uint8Array): Uint8Array => createHash("sha1").update(bytes).digest();

test("the default one-member cluster has the ids that etcd gives it", () => {
  const id = memberId({ peerUrls: ["http://localhost:2380"], clusterToken: "etcd-cluster" }, sha1);
  assert.equal(id, 10276657743932975437n);
  assert.equal(clusterId([id], sha1), 14841639068965178418n);
});

test("the order of peer URLs and of members does not matter", () => {
  const a = memberId({ peerUrls: ["http://b:1", "http://a:1"], clusterToken: "t" }, sha1);
  const b = memberId({ peerUrls: ["http://a:1", "http://b:1"], clusterToken: "t" }, sha1);
  assert.equal(a, b);
  assert.equal(clusterId([1n, 2n], sha1), clusterId([2n, 1n], sha1));
});

test("a member added at run time gets another id", () => {
  const input = { peerUrls: ["http://a:1"], clusterToken: "t" };
  assert.notEqual(memberId(input, sha1), memberId({ ...input, addedAtSeconds: 1 }, sha1));
});
