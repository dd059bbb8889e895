import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBinaryString } from "../../src/base/bytes.ts";
import { EtcdError } from "../../src/base/etcd-errors.ts";
import type { Compare, RequestOp, TxnRequest } from "../../src/codec/messages.ts";
import { Writer } from "../../src/codec/writer.ts";
import { runTxn } from "../../src/server/apply/txn.ts";
import { Pair } from "./pair.ts";
import { rangeRequest } from "./rig.ts";

const bytes = (...texts: string[]): fc.Arbitrary<Uint8Array> =>
  fc.constantFrom(...texts).map(fromBinaryString);
const key = bytes("a", "b", "c", "d");
const rangeEnd = bytes("", "", "c", "\0");
const value = bytes("", "1", "2");
const number = fc.integer({ min: 0, max: 6 });

const compare: fc.Arbitrary<Compare> = fc.record({
  result: fc.integer({ min: 0, max: 4 }),
  target: fc.integer({ min: 0, max: 5 }),
  key,
  rangeEnd,
  union: fc.constantFrom(0, 4, 5, 6, 7, 8),
  number,
  value,
  lease: fc.bigInt({ min: 0n, max: 3n }),
});

const canonical = fc.constant(true);
const leaf: fc.Arbitrary<RequestOp> = fc.oneof(
  fc.record({
    kind: fc.constant("put"),
    put: fc.record({
      ...{ key, value, canonical, prevKv: fc.boolean() },
      lease: fc.bigInt({ min: 0n, max: 4n }), // 4 does not exist
      ignoreValue: fc.constant(false),
      ignoreLease: fc.constant(false),
    }),
  }),
  fc.record({
    kind: fc.constant("deleteRange"),
    deleteRange: fc.record({ key, rangeEnd, canonical, prevKv: fc.boolean() }),
  }),
  fc.tuple(key, rangeEnd, number).map(([from, end, revision]): RequestOp => ({
    kind: "range",
    range: { ...rangeRequest("", "", { revision }), key: from, rangeEnd: end },
  })),
);

function txnOf(op: fc.Arbitrary<RequestOp>): fc.Arbitrary<TxnRequest> {
  const ops = fc.array(op, { maxLength: 3 });
  const some = fc.array(compare, { maxLength: 2 });
  return fc.record({ compare: some, success: ops, failure: ops, canonical });
}

const nested = txnOf(leaf).map((txn): RequestOp => ({ kind: "txn", txn }));
const request = txnOf(fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: nested }));

test("transactions with compares and nested ones do to the store what they do to the model", () => {
  const out = new Writer();
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), (requests) => {
      const pair = new Pair({});
      const { store } = pair.rig;
      for (const each of requests) {
        const expected = pair.model.txn(each);
        const txn = store.begin();
        const leaseExists = (lease: bigint): boolean => pair.model.leases.has(lease);
        const { currentRevision, compactRevision } = store;
        out.reset();
        const error = runTxn(txn, each, { currentRevision, compactRevision, leaseExists }, out);
        pair.rig.entry(txn.end());
        assert.equal(error, expected instanceof EtcdError ? expected : null);
        if (expected instanceof EtcdError) continue;
        const succeeded = out.length > 1 && out.bytes[0] === 0x10;
        assert.equal(succeeded, expected.succeeded);
      }
      pair.check();
    }),
    { numRuns: 300 },
  );
});
