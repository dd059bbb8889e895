import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { DecodedKeyValue, makeKeyValue } from "../../src/codec/client/key-value.ts";
import {
  decodeDeleteResult,
  decodeGetResult,
  decodeHeaderResult,
  decodePutResult,
  decodeRangeStreamResult,
} from "../../src/codec/client/kv.ts";
import type { Header, KeyValue, OpResult } from "../../src/codec/client/results.ts";
import { decodeTxnResult } from "../../src/codec/client/txn.ts";
import { DecodeError } from "../../src/codec/reader.ts";
import type { KeyValueSchema } from "../../src/gen/kv_pb.js";
import * as pb from "../../src/gen/rpc_pb.js";

const runs = { numRuns: 200 };
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const count = fc.oneof(fc.constantFrom(0, 1, 2 ** 31, 2 ** 53 - 1), fc.maxSafeNat());
const data = fc.uint8Array({ maxLength: 9 });
const record = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(parts, { noNullPrototype: true });

const header: fc.Arbitrary<Header> = record({
  clusterId: uint64,
  memberId: uint64,
  revision: count,
  raftTerm: count,
});

/** A key as plain data. */
interface Plain {
  key: Uint8Array;
  value: Uint8Array;
  createRevision: number;
  modRevision: number;
  version: number;
  lease: bigint;
}

const plain: fc.Arbitrary<Plain> = record({
  key: data,
  value: data,
  createRevision: count,
  modRevision: count,
  version: count,
  lease: fc.oneof(fc.constant(0n), int64),
});

function headerInit(h: Header): MessageInitShape<typeof pb.ResponseHeaderSchema> {
  return { ...h, revision: BigInt(h.revision), raftTerm: BigInt(h.raftTerm) };
}

function kvInit(kv: Plain): MessageInitShape<typeof KeyValueSchema> {
  return {
    ...kv,
    createRevision: BigInt(kv.createRevision),
    modRevision: BigInt(kv.modRevision),
    version: BigInt(kv.version),
  };
}

function plainOf(kv: KeyValue): Plain {
  const { createRevision, modRevision, version, lease } = kv;
  return {
    key: Uint8Array.from(kv.key),
    value: Uint8Array.from(kv.value),
    createRevision,
    modRevision,
    version,
    lease,
  };
}

/** Results with keys as plain data, to compare. */
type PlainResult =
  | { kind: "get"; header: Header; kvs: Plain[]; more: boolean; count: number }
  | { kind: "put"; header: Header; prevKv: Plain | null }
  | { kind: "delete"; header: Header; deleted: number; prevKvs: Plain[] }
  | { kind: "txn"; header: Header; succeeded: boolean; responses: PlainResult[] };

const kvs = fc.array(plain, { maxLength: 4 });
const getResult = record<PlainResult & { kind: "get" }>({
  kind: fc.constant("get"),
  header,
  kvs,
  more: fc.boolean(),
  count,
});
const putResult = record<PlainResult & { kind: "put" }>({
  kind: fc.constant("put"),
  header,
  prevKv: fc.option(plain),
});
const deleteResult = record<PlainResult & { kind: "delete" }>({
  kind: fc.constant("delete"),
  header,
  deleted: count,
  prevKvs: kvs,
});
const { txnResult } = fc.letrec<{ txnResult: PlainResult & { kind: "txn" }; any: PlainResult }>(
  (tie) => ({
    any: fc.oneof({ depthSize: "small" }, getResult, putResult, deleteResult, tie("txnResult")),
    txnResult: record<PlainResult & { kind: "txn" }>({
      kind: fc.constant("txn"),
      header,
      succeeded: fc.boolean(),
      responses: fc.array(tie("any"), { maxLength: 3 }),
    }),
  }),
);

function getInit(
  r: PlainResult & { kind: "get" },
): MessageInitShape<typeof pb.RangeResponseSchema> {
  return {
    header: headerInit(r.header),
    kvs: r.kvs.map(kvInit),
    more: r.more,
    count: BigInt(r.count),
  };
}

function putInit(r: PlainResult & { kind: "put" }): MessageInitShape<typeof pb.PutResponseSchema> {
  const head = { header: headerInit(r.header) };
  return r.prevKv === null ? head : { ...head, prevKv: kvInit(r.prevKv) };
}

function deleteInit(
  r: PlainResult & { kind: "delete" },
): MessageInitShape<typeof pb.DeleteRangeResponseSchema> {
  return {
    header: headerInit(r.header),
    deleted: BigInt(r.deleted),
    prevKvs: r.prevKvs.map(kvInit),
  };
}

function txnInit(r: PlainResult & { kind: "txn" }): MessageInitShape<typeof pb.TxnResponseSchema> {
  return {
    header: headerInit(r.header),
    succeeded: r.succeeded,
    responses: r.responses.map((inner) => ({ response: responseInit(inner) })),
  };
}

function responseInit(
  r: PlainResult,
): NonNullable<MessageInitShape<typeof pb.ResponseOpSchema>["response"]> {
  switch (r.kind) {
    case "get":
      return { case: "responseRange", value: getInit(r) };
    case "put":
      return { case: "responsePut", value: putInit(r) };
    case "delete":
      return { case: "responseDeleteRange", value: deleteInit(r) };
    case "txn":
      return { case: "responseTxn", value: txnInit(r) };
  }
}

function plainResult(r: OpResult): PlainResult {
  switch (r.kind) {
    case "get":
      return { ...r, kvs: r.kvs.map(plainOf) };
    case "put":
      return { ...r, prevKv: r.prevKv === null ? null : plainOf(r.prevKv) };
    case "delete":
      return { ...r, prevKvs: r.prevKvs.map(plainOf) };
    case "txn":
      return { ...r, responses: r.responses.map(plainResult) };
  }
}

/** The bytes in the middle of a larger buffer, as a connection hands them over. */
function embedded(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 7).fill(0xee);
  all.set(bytes, 3);
  return all.subarray(3, 3 + bytes.length);
}

test("answers to ranges, puts and deletes are read as protobuf-es writes them", () => {
  fc.assert(
    fc.property(getResult, (r) => {
      const message = create(pb.RangeResponseSchema, getInit(r));
      const bytes = toBinary(pb.RangeResponseSchema, message);
      assert.deepEqual(plainResult(decodeGetResult(embedded(bytes))), r);
      const stream = toBinary(
        pb.RangeStreamResponseSchema,
        create(pb.RangeStreamResponseSchema, { rangeResponse: message }),
      );
      assert.deepEqual(plainResult(decodeRangeStreamResult(embedded(stream))), r);
    }),
    runs,
  );
  fc.assert(
    fc.property(putResult, (r) => {
      const bytes = toBinary(pb.PutResponseSchema, create(pb.PutResponseSchema, putInit(r)));
      assert.deepEqual(plainResult(decodePutResult(embedded(bytes))), r);
    }),
    runs,
  );
  fc.assert(
    fc.property(deleteResult, (r) => {
      const schema = pb.DeleteRangeResponseSchema;
      const bytes = toBinary(schema, create(schema, deleteInit(r)));
      assert.deepEqual(plainResult(decodeDeleteResult(embedded(bytes))), r);
    }),
    runs,
  );
});

test("answers to transactions are read at any depth", () => {
  fc.assert(
    fc.property(txnResult, (r) => {
      const bytes = toBinary(pb.TxnResponseSchema, create(pb.TxnResponseSchema, txnInit(r)));
      assert.deepEqual(plainResult(decodeTxnResult(embedded(bytes))), r);
    }),
    runs,
  );
});

test("an answer without a header has zeros in its place", () => {
  const nothing = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
  assert.deepEqual(decodeHeaderResult(new Uint8Array(0)).header, nothing);
  assert.deepEqual(decodeTxnResult(new Uint8Array(0)).header, nothing);
});

test("a transaction's operation without a result is malformed", () => {
  assert.throws(() => decodeTxnResult(Uint8Array.of(0x1a, 0)), DecodeError);
});

test("a cut answer is malformed or means less, it never crashes", () => {
  fc.assert(
    fc.property(txnResult, fc.nat(), (r, at) => {
      const bytes = toBinary(pb.TxnResponseSchema, create(pb.TxnResponseSchema, txnInit(r)));
      try {
        decodeTxnResult(bytes.subarray(0, at % (bytes.length + 1)));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    runs,
  );
});

test("a KeyValue shows its texts, loses a prefix, and can be made by hand", () => {
  const kv = makeKeyValue(Buffer.from("app/ä"), Buffer.from('{"a":[1]}'), {
    createRevision: 3,
    modRevision: 5,
    version: 2,
    lease: 7n,
  });
  assert.equal(kv.keyString(), "app/ä");
  assert.equal(kv.string(), '{"a":[1]}');
  assert.deepEqual(kv.json(), { a: [1] });
  const short = kv.withoutPrefix(4);
  assert.equal(short.keyString(), "ä");
  assert.equal(short.string(), kv.string());
  assert.equal(short.modRevision, 5);
  assert.equal(kv.withoutPrefix(99).keyString(), "");
  const numbers = { createRevision: 3, modRevision: 5, version: 2, lease: "7" };
  assert.deepEqual(JSON.parse(JSON.stringify(kv)), {
    key: "app/ä",
    value: '{"a":[1]}',
    ...numbers,
  });
  assert.ok(kv instanceof DecodedKeyValue);
});
