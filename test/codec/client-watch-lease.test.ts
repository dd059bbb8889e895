import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import * as lease from "../../src/codec/client/lease.ts";
import type { KeyValue } from "../../src/codec/client/results.ts";
import * as watch from "../../src/codec/client/watch.ts";
import { DecodeError } from "../../src/codec/reader.ts";
import { Event_EventType, type KeyValue as KeyValueMessage } from "../../src/gen/kv_pb.js";
import * as pb from "../../src/gen/rpc_pb.js";

const runs = { numRuns: 300 };
const number = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1), fc.maxSafeNat());
const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const unsigned = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 20 });
const big = (value: number): bigint => BigInt(value);

const header = fc.record({
  clusterId: unsigned,
  memberId: unsigned,
  revision: number.map(big),
  raftTerm: number.map(big),
});
const keyValue = fc.record({
  key: bytes,
  value: bytes,
  createRevision: number.map(big),
  modRevision: number.map(big),
  version: number.map(big),
  lease: id,
});
const event = fc.record({
  type: fc.constantFrom(Event_EventType.PUT, Event_EventType.DELETE),
  kv: keyValue,
  prevKv: fc.option(keyValue, { nil: undefined }),
});

function headerOf(message: pb.ResponseHeader | undefined): object {
  const { clusterId = 0n, memberId = 0n, revision = 0n, raftTerm = 0n } = message ?? {};
  return { clusterId, memberId, revision: Number(revision), raftTerm: Number(raftTerm) };
}

function expectedKv(kv: KeyValueMessage | undefined): object | null {
  if (kv === undefined) return null;
  const { key, value, createRevision, modRevision, version } = kv;
  const revisions = { createRevision: Number(createRevision), modRevision: Number(modRevision) };
  return { key, value, ...revisions, version: Number(version), lease: kv.lease };
}

function readKv(kv: KeyValue | null): object | null {
  if (kv === null) return null;
  const { key, value, createRevision, modRevision, version } = kv;
  return { key, value, createRevision, modRevision, version, lease: kv.lease };
}

test("a watch response is read as protobuf-es reads it", () => {
  const response = fc.record({
    header,
    watchId: id.map((value) => value / 1024n),
    created: fc.boolean(),
    canceled: fc.boolean(),
    compactRevision: number.map(big),
    cancelReason: fc.string({ maxLength: 10 }),
    fragment: fc.boolean(),
    events: fc.array(event, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(response, (init) => {
      const encoded = toBinary(pb.WatchResponseSchema, create(pb.WatchResponseSchema, init));
      const message = fromBinary(pb.WatchResponseSchema, encoded);
      const read = watch.decodeWatchResponse(encoded);
      assert.deepEqual(
        { ...read, events: null },
        {
          header: headerOf(message.header),
          watchId: Number(message.watchId),
          created: message.created,
          canceled: message.canceled,
          compactRevision: Number(message.compactRevision),
          cancelReason: message.cancelReason,
          fragment: message.fragment,
          events: null,
          sizeBytes: encoded.length,
        },
      );
      assert.deepEqual(
        read.events.map((one) => [one.type, readKv(one.kv), readKv(one.prevKv), one.isCreate]),
        message.events.map(({ type, kv, prevKv }) => [
          type === Event_EventType.PUT ? "put" : "delete",
          expectedKv(kv),
          expectedKv(prevKv),
          type === Event_EventType.PUT && kv!.createRevision === kv!.modRevision,
        ]),
      );
    }),
    runs,
  );
});

test("watch requests have protobuf-es's bytes", () => {
  const flags = { progressNotify: fc.boolean(), prevKv: fc.boolean(), fragment: fc.boolean() };
  const request = fc.record({
    ...{ key: bytes, rangeEnd: bytes, startRevision: number, watchId: number },
    ...{ ...flags, noPut: fc.boolean(), noDelete: fc.boolean() },
  });
  const noPut = pb.WatchCreateRequest_FilterType.NOPUT;
  const noDelete = pb.WatchCreateRequest_FilterType.NODELETE;
  const encode = (requestUnion: pb.WatchRequest["requestUnion"]): Uint8Array =>
    toBinary(pb.WatchRequestSchema, create(pb.WatchRequestSchema, { requestUnion }));
  fc.assert(
    fc.property(request, (wanted) => {
      const { startRevision, watchId } = wanted;
      const value = create(pb.WatchCreateRequestSchema, {
        ...{ ...wanted, startRevision: big(startRevision), watchId: big(watchId) },
        filters: [...(wanted.noPut ? [noPut] : []), ...(wanted.noDelete ? [noDelete] : [])],
      });
      assert.deepEqual(
        watch.encodeWatchMessage({ kind: "create", create: wanted }),
        encode({ case: "createRequest", value }),
      );
      assert.deepEqual(
        watch.encodeWatchMessage({ kind: "cancel", watchId }),
        encode({
          case: "cancelRequest",
          value: create(pb.WatchCancelRequestSchema, { watchId: big(watchId) }),
        }),
      );
    }),
    runs,
  );
  assert.deepEqual(
    watch.encodeWatchMessage({ kind: "progress" }),
    encode({ case: "progressRequest", value: create(pb.WatchProgressRequestSchema) }),
  );
});

test("lease requests have protobuf-es's bytes", () => {
  fc.assert(
    fc.property(id, number, fc.boolean(), (ID, ttlSeconds, keys) => {
      const TTL = big(ttlSeconds);
      const { LeaseGrantRequestSchema, LeaseRevokeRequestSchema } = pb;
      assert.deepEqual(
        lease.encodeLeaseGrant({ ttlSeconds, id: ID }),
        toBinary(LeaseGrantRequestSchema, create(LeaseGrantRequestSchema, { ID, TTL })),
      );
      assert.deepEqual(
        lease.encodeLeaseId(ID),
        toBinary(LeaseRevokeRequestSchema, create(LeaseRevokeRequestSchema, { ID })),
      );
      const message = create(pb.LeaseTimeToLiveRequestSchema, { ID, keys });
      assert.deepEqual(
        lease.encodeLeaseTimeToLive({ id: ID, keys }),
        toBinary(pb.LeaseTimeToLiveRequestSchema, message),
      );
    }),
    runs,
  );
});

test("lease answers are read as protobuf-es reads them", () => {
  const answer = fc.record({ header, ID: id, TTL: number.map(big), grantedTTL: number.map(big) });
  fc.assert(
    fc.property(answer, fc.array(bytes), fc.array(id), (init, keys, ids) => {
      const grant = create(pb.LeaseKeepAliveResponseSchema, init);
      assert.deepEqual(lease.decodeLeaseGrant(toBinary(pb.LeaseKeepAliveResponseSchema, grant)), {
        header: headerOf(grant.header),
        id: grant.ID,
        ttlSeconds: Number(grant.TTL),
      });
      const left = create(pb.LeaseTimeToLiveResponseSchema, { ...init, keys });
      const encoded = toBinary(pb.LeaseTimeToLiveResponseSchema, left);
      assert.deepEqual(lease.decodeLeaseTimeToLive(encoded), {
        header: headerOf(left.header),
        id: left.ID,
        ttlSeconds: Number(left.TTL),
        grantedTtlSeconds: Number(left.grantedTTL),
        keys,
      });
      const list = { header: init.header, leases: ids.map((ID) => ({ ID })) };
      const all = create(pb.LeaseLeasesResponseSchema, list);
      assert.deepEqual(lease.decodeLeaseList(toBinary(pb.LeaseLeasesResponseSchema, all)), {
        header: headerOf(all.header),
        leases: ids,
      });
    }),
    runs,
  );
});

test("bytes that are no message are refused, whatever they are", () => {
  const decoders = [
    watch.decodeWatchResponse,
    lease.decodeLeaseGrant,
    lease.decodeLeaseTimeToLive,
    lease.decodeLeaseList,
  ];
  fc.assert(
    fc.property(fc.constantFrom(...decoders), fc.uint8Array({ maxLength: 40 }), (decode, noise) => {
      try {
        decode(noise);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
    { numRuns: 2_000 },
  );
  for (const decode of decoders) assert.throws(() => decode(Uint8Array.of(0x0a, 9)), DecodeError);
});
