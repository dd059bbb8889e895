import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyBytes, utf8 } from "../../base/bytes.ts";
import {
  errDuplicateKey,
  errEmptyKey,
  errInvalidSortOption,
  errKeyNotFound,
  errLeaseProvided,
  errTooManyOps,
  errValueProvided,
} from "../../base/etcd-errors.ts";
import type { PutRequest, RangeRequest, RequestOp, TxnRequest } from "../../codec/messages.ts";
import { checkPut, checkRange, checkTxn } from "./validate-request.ts";

const range = (over: Partial<RangeRequest>): RangeRequest => ({
  key: utf8("k"),
  rangeEnd: emptyBytes,
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  canonical: true,
  ...over,
});

const put = (key: string, over: Partial<PutRequest> = {}): PutRequest => ({
  key: utf8(key),
  value: emptyBytes,
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
  canonical: true,
  ...over,
});

const putOp = (key: string): RequestOp => ({ kind: "put", put: put(key) });
const deleteOp = (key: string, rangeEnd = ""): RequestOp => ({
  kind: "deleteRange",
  deleteRange: { key: utf8(key), rangeEnd: utf8(rangeEnd), prevKv: false, canonical: true },
});
const txn = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
  canonical: true,
});
const txnOp = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  kind: "txn",
  txn: txn(success, failure),
});

test("a range needs a key and known sort options", () => {
  assert.equal(checkRange(range({})), null);
  assert.equal(checkRange(range({ key: emptyBytes })), errEmptyKey);
  assert.equal(checkRange(range({ sortOrder: 3 })), errInvalidSortOption);
  assert.equal(checkRange(range({ sortTarget: -1 })), errInvalidSortOption);
});

test("a put that ignores value or lease may not bring one", () => {
  assert.equal(checkPut(put("")), errEmptyKey);
  assert.equal(checkPut(put("a", { ignoreValue: true, value: utf8("v") })), errValueProvided);
  assert.equal(checkPut(put("a", { ignoreLease: true, lease: 1n })), errLeaseProvided);
  assert.equal(checkPut(put("a", { ignoreValue: true, ignoreLease: true })), null);
});

test("the longest list of a transaction counts, and nested ones share what is left", () => {
  const ops = (n: number): RequestOp[] => Array.from({ length: n }, (_, i) => putOp(`k${i}`));
  assert.equal(checkTxn(txn(ops(3)), 3), null);
  assert.equal(checkTxn(txn(ops(4)), 3), errTooManyOps);
  assert.equal(checkTxn(txn([txnOp(ops(2))]), 3), null);
  assert.equal(checkTxn(txn([txnOp(ops(3))]), 3), errTooManyOps);
});

test("an empty operation is answered as a missing key, an empty key as such", () => {
  assert.equal(checkTxn(txn([{ kind: "none" }]), 8), errKeyNotFound);
  assert.equal(checkTxn(txn([], [{ kind: "none" }]), 8), errKeyNotFound);
  assert.equal(checkTxn(txn([putOp("")]), 8), errEmptyKey);
});

test("a key is put once per list and not inside a deleted interval", () => {
  const duplicate: RequestOp[][] = [
    [putOp("a"), putOp("a")],
    [deleteOp("a"), putOp("a")],
    [putOp("b"), deleteOp("a", "c")],
    [deleteOp("a", "c"), txnOp([putOp("b")])],
    [txnOp([putOp("a")]), putOp("a")],
    [txnOp([putOp("a")]), txnOp([putOp("a")])],
    [txnOp([deleteOp("a", "c")]), putOp("b")],
    [deleteOp("x", "z"), deleteOp("a", "c"), deleteOp("b", "m"), putOp("l")],
  ];
  for (const ops of duplicate) assert.equal(checkTxn(txn(ops), 64), errDuplicateKey);
});

test("what cannot happen together is no duplicate", () => {
  const fine: RequestOp[][] = [
    [deleteOp("a"), deleteOp("a")],
    [putOp("c"), deleteOp("a", "c")],
    [txnOp([putOp("a")], [putOp("a")])],
    [txnOp([putOp("a")]), txnOp([deleteOp("b")])],
    // An open end is taken literally here, as etcd does: it conflicts with nothing.
    [deleteOp("a", "\0"), putOp("b")],
  ];
  for (const ops of fine) assert.equal(checkTxn(txn(ops), 64), null);
});
