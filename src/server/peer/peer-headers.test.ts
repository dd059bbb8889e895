import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../base/bytes.ts";
import type { Logger } from "../../base/log.ts";
import { checkSender, parseHexId, postProblem, requestHeaders } from "./peer-headers.ts";

const identity = { localId: 0xan, clusterId: 0xc1n, peerUrls: ["http://h:1", "http://h:2"] };

function check(changes: Readonly<Record<string, string>>): [refusal: string | null, log: string[]] {
  const logged: string[] = [];
  const add = (message: string): void => {
    logged.push(message);
  };
  const log: Logger = {
    ...{ debug: add, info: add, warn: add, error: add },
    fatal(message) {
      throw new Error(message);
    },
  };
  const headers = Object.fromEntries(
    Object.entries({ ...requestHeaders(identity), ...changes }).map(([k, v]) => [
      k.toLowerCase(),
      v,
    ]),
  );
  return [checkSender((name) => headers[name] ?? "", identity, log), logged];
}

test("a member of our cluster is let in, of any version that can work with ours", () => {
  assert.deepEqual(check({}), [null, []]);
  assert.deepEqual(check({ "X-Server-Version": "3.0.0" }), [null, []]);
  assert.deepEqual(check({ "X-Server-Version": "3.8.0-alpha.0" }), [null, []]);
});

test("another version or cluster is refused with the reason in the log", () => {
  const version = ["incompatible version", ["failed version compatibility check"]];
  assert.deepEqual(check({ "X-Server-Version": "2.3.0" }), version);
  assert.deepEqual(check({ "X-Server-Version": "" }), version);
  assert.deepEqual(check({ "X-Server-Version": "three" }), version);
  assert.deepEqual(check({ "X-Min-Cluster-Version": "3.8.0" }), version);
  const cluster = ["cluster ID mismatch", ["request cluster ID mismatch"]];
  assert.deepEqual(check({ "X-Etcd-Cluster-ID": "c2" }), cluster);
  assert.deepEqual(check({ "X-Etcd-Cluster-ID": "" }), cluster);
});

test("our URLs travel in one header, in order", () => {
  assert.equal(requestHeaders(identity)["X-PeerURLs"], "http://h:1,http://h:2");
});

test("ids are hex numbers of 64 bits", () => {
  assert.deepEqual(
    ["0", "ffffffffffffffff", "00ABC", "", "g", "-1", "10000000000000000", "0x1"].map(parseHexId),
    [0n, 0xffff_ffff_ffff_ffffn, 0xabcn, null, null, null, null, null],
  );
});

test("an answer to a POST says delivered, removed, or why not", () => {
  assert.equal(postProblem(204, utf8("")), null);
  assert.equal(postProblem(403, utf8("x"))?.isRemoved, true);
  assert.deepEqual(postProblem(412, utf8("cluster ID mismatch\n")), {
    reason: "cluster ID mismatch",
    isRemoved: false,
  });
  assert.equal(postProblem(500, utf8("x"))?.reason, "unexpected http status 500");
});
