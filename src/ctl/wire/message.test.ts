import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { decodeMessage, encodeMessage } from "./message.ts";
import { memberAddResponse, rangeResponse, statusResponse, txnResponse } from "./schemas.ts";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const bytes = fc.uint8Array({ maxLength: 8 });
const plain = { noNullPrototype: true };
const keyValue = fc.record(
  {
    ...{ key: bytes, create_revision: int64, mod_revision: int64 },
    ...{ version: int64, value: bytes, lease: int64 },
  },
  plain,
);

test("a message is read as it was written", () => {
  const header = { cluster_id: 2n ** 64n - 1n, member_id: 1n, revision: -1n, raft_term: 7n };
  const fields = {
    ...{ header: fc.constantFrom(header, null), kvs: fc.array(keyValue, { maxLength: 3 }) },
    ...{ more: fc.boolean(), count: int64 },
  };
  const range = fc.record(fields, plain);
  fc.assert(
    fc.property(range, (message) => {
      assert.deepEqual(
        decodeMessage(rangeResponse, encodeMessage(rangeResponse, message)),
        message,
      );
    }),
  );
});

test("fields that are not there have their zero values", () => {
  const status = decodeMessage(statusResponse, new Uint8Array(0));
  assert.equal(status.header, null);
  assert.equal(status.dbSize, 0n);
  assert.deepEqual(status.errors, []);
  assert.deepEqual(encodeMessage(statusResponse, status), new Uint8Array(0));
});

test("unknown fields are passed over, nested transactions are read", () => {
  const inner = { header: null, succeeded: true, responses: [] };
  const op = { response_range: null, response_put: null, response_delete_range: null };
  const message = { ...inner, responses: [{ ...op, response_txn: inner }] };
  const unknown = Uint8Array.of(0xf8, 0x07, 0x01); // field 127, varint
  const all = Uint8Array.of(...encodeMessage(txnResponse, message), ...unknown);
  assert.deepEqual(decodeMessage(txnResponse, all), message);
});

test("lists never share their memory between messages", () => {
  const first = memberAddResponse.empty();
  first.members.push({ ID: 1n, name: "", peerURLs: [], clientURLs: [], isLearner: false });
  assert.deepEqual(memberAddResponse.empty().members, []);
});
