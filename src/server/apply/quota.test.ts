import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../base/bytes.ts";
import { emptyPut, emptyRange } from "../../codec/kv.ts";
import type { RequestOp, TxnRequest } from "../../codec/messages.ts";
import { leaseGrantCost, putCost, Quota, txnCost } from "./quota.ts";

const put = (bytes: number): RequestOp => ({
  kind: "put",
  put: { ...emptyPut(), key: utf8("k"), value: new Uint8Array(bytes - 1) },
});
const txn = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
  canonical: true,
});

test("costs are etcd's estimates", () => {
  assert.equal(putCost({ ...emptyPut(), key: utf8("key"), value: utf8("value") }), 256 + 8);
  assert.equal(leaseGrantCost(), 64);
});

test("a transaction costs its bigger side, nested ones included, and reads cost nothing", () => {
  const read: RequestOp = { kind: "range", range: emptyRange() };
  assert.equal(txnCost(txn([read])), 0);
  assert.equal(txnCost(txn([put(10), put(20), read], [put(100)])), 2 * 256 + 30);
  const nested: RequestOp = { kind: "txn", txn: txn([put(1)], [put(50), put(50)]) };
  assert.equal(txnCost(txn([put(10), nested])), 3 * 256 + 110);
});

test("what adds nothing always fits; without a limit everything does", () => {
  const full = new Quota(1000, () => 5000);
  assert.equal(full.available(0), true);
  assert.equal(full.available(1), false);
  assert.equal(new Quota(0, () => 5000).available(1e9), true);
  assert.equal(new Quota(-1, () => 5000).available(1e9), true);
});

test("a request fits while it stays below the limit", () => {
  const quota = new Quota(1000, () => 700);
  assert.equal(quota.available(299), true);
  assert.equal(quota.available(300), false);
});
