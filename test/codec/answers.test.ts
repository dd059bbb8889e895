import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMessage } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { HeaderCodec } from "../../src/codec/header.ts";
import type { RequestOp, TxnRequest } from "../../src/codec/messages.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { KeyValue } from "../../src/gen/kv_pb.js";
import { Event_EventType, KeyValueSchema } from "../../src/gen/kv_pb.js";
import { LeaseSchema } from "../../src/gen/lease_pb.js";
import * as rpcPb from "../../src/gen/rpc_pb.js";
import { writeDeletedBody, writePrevKv, writeRangeBody } from "../../src/server/apply/body.ts";
import { runTxn } from "../../src/server/apply/txn.ts";
import { decodeLeaseRow, encodeLeaseRow } from "../../src/server/lease/lease-row.ts";
import { encodeKv, frameTag, writeVarint } from "../../src/server/mvcc/kv-bytes.ts";
import { SharedEvent } from "../../src/server/mvcc/watch-events.ts";
import { WatchEncoder } from "../../src/server/rpc/watch-encoder.ts";
import { rangeRequest, Rig } from "../mvcc/rig.ts";
import { FakeCall } from "../watch/fake-call.ts";

const runs = { numRuns: 200 };
const number = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1), fc.maxSafeNat());
const int64 = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const bytes = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(new Uint8Array(200), new Uint8Array(20_000)) },
);

/** A KeyValue as the store encodes it, and as protobuf-es holds it. */
const keyValue = fc
  .record({ key: bytes, create: number, mod: number, version: number, value: bytes, lease: int64 })
  .map((kv) => ({
    stored: encodeKv(kv),
    message: create(KeyValueSchema, {
      key: kv.key,
      createRevision: BigInt(kv.create),
      modRevision: BigInt(kv.mod),
      version: BigInt(kv.version),
      value: kv.value,
      lease: kv.lease,
    }),
  }));
const keyValues = fc.array(keyValue, { maxLength: 4 });

const clusterId = 2n ** 64n - 1n;
const memberId = 300n;
const raftTerm = 7;
const header = new HeaderCodec(clusterId, memberId);
const headerInit = (revision: number): object => ({
  clusterId,
  memberId,
  revision: BigInt(revision),
  raftTerm: BigInt(raftTerm),
});

function answer(revision: number, write: (out: Writer) => void): Uint8Array {
  const out = new Writer(1);
  header.write(out, revision, raftTerm);
  write(out);
  return out.copy();
}

/** A stored KeyValue as the store hands it out: behind its field's tag and length. */
function frame(stored: Uint8Array): Uint8Array {
  const out = new Uint8Array(stored.length + 11);
  out[0] = frameTag;
  const at = writeVarint(out, 1, stored.length);
  out.set(stored, at);
  return out.slice(0, at + stored.length);
}

test("range answers have protobuf-es's bytes", () => {
  fc.assert(
    fc.property(number, keyValues, fc.boolean(), number, (revision, kvs, more, count) => {
      const chunks = kvs.map((kv) => frame(kv.stored));
      const chunkBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      const result = { count, more, kvCount: kvs.length, chunks, chunkBytes };
      assert.deepEqual(
        answer(revision, (out) => {
          writeRangeBody(out, result);
        }),
        toBinary(
          rpcPb.RangeResponseSchema,
          create(rpcPb.RangeResponseSchema, {
            header: headerInit(revision),
            kvs: kvs.map((kv) => kv.message),
            more,
            count: BigInt(count),
          }),
        ),
      );
    }),
    runs,
  );
});

test("put and delete answers have protobuf-es's bytes", () => {
  fc.assert(
    fc.property(number, keyValue, keyValues, number, (revision, previous, kvs, deleted) => {
      assert.deepEqual(
        answer(revision, (out) => {
          writePrevKv(out, previous.stored);
        }),
        toBinary(
          rpcPb.PutResponseSchema,
          create(rpcPb.PutResponseSchema, {
            header: headerInit(revision),
            prevKv: previous.message,
          }),
        ),
      );
      const stored = kvs.map((kv) => kv.stored);
      assert.deepEqual(
        answer(revision, (out) => {
          writeDeletedBody(out, deleted, stored);
        }),
        toBinary(
          rpcPb.DeleteRangeResponseSchema,
          create(rpcPb.DeleteRangeResponseSchema, {
            header: headerInit(revision),
            deleted: BigInt(deleted),
            prevKvs: kvs.map((kv) => kv.message),
          }),
        ),
      );
    }),
    runs,
  );
});

const smallKey = fc.constantFrom("a", "b", "c").map((text) => new TextEncoder().encode(text));
const leaf: fc.Arbitrary<RequestOp> = fc.oneof(
  fc.record({
    kind: fc.constant("put"),
    put: fc.record({
      key: smallKey,
      value: bytes,
      lease: int64,
      prevKv: fc.boolean(),
      ignoreValue: fc.constant(false),
      ignoreLease: fc.constant(false),
      canonical: fc.constant(true),
    }),
  }),
  fc.record({
    kind: fc.constant("deleteRange"),
    deleteRange: fc.record({
      key: smallKey,
      rangeEnd: fc.constantFrom(new Uint8Array(0), new Uint8Array([0])),
      prevKv: fc.boolean(),
      canonical: fc.constant(true),
    }),
  }),
  fc.constant<RequestOp>({ kind: "range", range: rangeRequest("a", "z", {}) }),
);
const transaction = (op: fc.Arbitrary<RequestOp>): fc.Arbitrary<TxnRequest> =>
  fc.array(op, { maxLength: 4 }).map((success) => ({
    compare: [],
    success,
    failure: [],
    canonical: true,
  }));
const nested = transaction(leaf).map((txn): RequestOp => ({ kind: "txn", txn }));

const answerCases: Readonly<Record<RequestOp["kind"], string | undefined>> = {
  range: "responseRange",
  put: "responsePut",
  deleteRange: "responseDeleteRange",
  txn: "responseTxn",
  none: undefined,
};

/** True of bytes that protobuf-es reads without a rest and writes just so. */
function isItsOwnEncoding(schema: DescMessage, encoded: Uint8Array): boolean {
  const message = fromBinary(schema, encoded, { readUnknownFields: false });
  return Buffer.compare(toBinary(schema, message), encoded) === 0;
}

test("transaction answers are what protobuf-es writes, with one answer for each operation", () => {
  const state = { currentRevision: 1, compactRevision: -1, leaseExists: () => true };
  fc.assert(
    fc.property(transaction(fc.oneof(leaf, leaf, nested)), (request) => {
      const { store } = new Rig();
      const txn = store.begin();
      const encoded = answer(5, (out) => {
        assert.equal(runTxn(txn, request, state, out), null);
      });
      txn.end();
      assert.ok(isItsOwnEncoding(rpcPb.TxnResponseSchema, encoded));
      const { header: read, succeeded, responses } = fromBinary(rpcPb.TxnResponseSchema, encoded);
      assert.equal(read?.revision, 5n);
      assert.ok(succeeded);
      assert.deepEqual(
        responses.map((r) => r.response.case),
        request.success.map((op) => answerCases[op.kind]),
      );
    }),
    { numRuns: 100 },
  );
});

const eventParts = fc.record({
  isDelete: fc.boolean(),
  current: keyValue,
  previous: fc.option(keyValue),
});
const withPrevious = (previous: Uint8Array | null): Parameters<SharedEvent["withPrev"]>[0] => ({
  currentRevision: 0,
  compactRevision: -1,
  history: () => ({ events: [], next: 0 }),
  prevKeyValue: () => previous,
});

test("events in watch answers have protobuf-es's bytes, whole or in parts, for every watch id", () => {
  const watchIds = fc.array(fc.oneof(number, fc.constant(-1)), { minLength: 1, maxLength: 4 });
  const call = new FakeCall({
    path: "",
    clientStreaming: true,
    serverStreaming: true,
    message: () => undefined,
  });
  fc.assert(
    fc.property(
      fc.array(eventParts, { maxLength: 4 }),
      watchIds,
      number,
      fc.boolean(),
      (events, ids, revision, fragment) => {
        const encoder = new WatchEncoder(header, () => raftTerm);
        const chunks = events.map(({ isDelete, current, previous }) => {
          const { stored: kv, message } = current;
          const modRevision = Number(message.modRevision);
          const event = new SharedEvent({ isDelete, modRevision, sub: 0, key: message.key, kv });
          return event.withPrev(withPrevious(previous?.stored ?? null));
        });
        for (const id of ids) {
          call.messages.length = 0;
          encoder.sendEvents(call, id, revision, chunks, fragment);
          const expected = create(rpcPb.WatchResponseSchema, {
            header: headerInit(revision),
            watchId: BigInt(id),
            fragment,
            events: events.map(({ isDelete, current, previous }) => ({
              type: isDelete ? Event_EventType.DELETE : Event_EventType.PUT,
              kv: current.message,
              ...(previous === null || isFirstPut(isDelete, current.message)
                ? {}
                : { prevKv: previous.message }),
            })),
          });
          assert.deepEqual(call.messages, [toBinary(rpcPb.WatchResponseSchema, expected)]);
        }
      },
    ),
    runs,
  );
});

const isFirstPut = (isDelete: boolean, kv: KeyValue): boolean =>
  !isDelete && kv.createRevision !== 0n && kv.createRevision === kv.modRevision;

test("watch answers without events have protobuf-es's bytes", () => {
  const call = new FakeCall({
    path: "",
    clientStreaming: true,
    serverStreaming: true,
    message: () => undefined,
  });
  const encoder = new WatchEncoder(header, () => raftTerm);
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
  const what = fc.record({
    created: fc.boolean(),
    canceled: fc.boolean(),
    compactRevision: fc.integer({ min: 1 }),
    cancelReason: text,
  });
  fc.assert(
    fc.property(fc.oneof(number, fc.constant(-1)), number, what, (watchId, revision, control) => {
      call.messages.length = 0;
      encoder.sendControl(call, watchId, revision, control);
      const expected = create(rpcPb.WatchResponseSchema, {
        ...control,
        header: headerInit(revision),
        watchId: BigInt(watchId),
        compactRevision: BigInt(control.compactRevision),
      });
      assert.deepEqual(call.messages, [toBinary(rpcPb.WatchResponseSchema, expected)]);
    }),
    runs,
  );
});

test("lease rows have protobuf-es's bytes, and read as what was written", () => {
  const ttl = fc.oneof(fc.constantFrom(0, 1, 128, 9_000_000_000), fc.maxSafeNat());
  fc.assert(
    fc.property(int64, ttl, ttl, (id, seconds, remainingTtl) => {
      const row = encodeLeaseRow(id, seconds, remainingTtl);
      const lease = create(LeaseSchema, {
        ID: id,
        TTL: BigInt(seconds),
        RemainingTTL: BigInt(remainingTtl),
      });
      assert.deepEqual(row, toBinary(LeaseSchema, lease));
      assert.deepEqual(decodeLeaseRow(row), { id, ttl: seconds, remainingTtl });
    }),
    runs,
  );
});
