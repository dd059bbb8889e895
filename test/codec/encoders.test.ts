import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { encodeConfChange } from "../../src/codec/conf-change.ts";
import { HeaderCodec } from "../../src/codec/header.ts";
import { decodeInternalRequest, encodeInternalRequest } from "../../src/codec/internal.ts";
import { encodeClusterMemberAttrSet, encodeClusterVersionSet } from "../../src/codec/membership.ts";
import * as raft from "../../src/codec/raft.ts";
import { varintSize, Writer } from "../../src/codec/writer.ts";
import {
  ClusterMemberAttrSetRequestSchema,
  ClusterVersionSetRequestSchema,
} from "../../src/gen/membership_pb.js";
import { InternalRaftRequestSchema } from "../../src/gen/raft_internal_pb.js";
import * as raftPb from "../../src/gen/raft_pb.js";
import { PutRequestSchema, PutResponseSchema } from "../../src/gen/rpc_pb.js";

const runs = { numRuns: 200 };
const id = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const number = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1), fc.maxSafeNat());
const data = fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.constant(new Uint8Array(20_000)));
const text = fc.string({ unit: "binary", maxLength: 6 });
const record = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(parts, { noNullPrototype: true });
const entryType = fc.constantFrom(0 as const, 1 as const, 2 as const);

const entry: fc.Arbitrary<raft.Entry> = record({
  type: entryType,
  term: number,
  index: number,
  data,
});
const ids = fc.array(id, { maxLength: 3 });
const confState: fc.Arbitrary<raft.ConfState> = record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});
const snapshot: fc.Arbitrary<raft.Snapshot> = record({
  metadata: record({ confState, index: number, term: number }),
  data,
});
const message: fc.Arbitrary<raft.Message> = record({
  type: fc.nat(23),
  to: id,
  from: id,
  term: number,
  logTerm: number,
  index: number,
  entries: fc.array(entry, { maxLength: 3 }),
  commit: number,
  snapshot: fc.option(snapshot),
  reject: fc.boolean(),
  rejectHint: number,
  context: data,
});

/** A field that is absent when empty. */
const unlessEmpty = <K extends string>(
  name: K,
  bytes: Uint8Array,
): Partial<Record<K, Uint8Array>> =>
  (bytes.length > 0 ? { [name]: bytes } : {}) as Partial<Record<K, Uint8Array>>;

const entryInit = (e: raft.Entry): object => ({
  ...(e.type === 0 ? {} : { Type: e.type }),
  Term: BigInt(e.term),
  Index: BigInt(e.index),
  ...unlessEmpty("Data", e.data),
});
const confStateInit = (s: raft.ConfState): object => ({
  voters: [...s.voters],
  learners: [...s.learners],
  votersOutgoing: [...s.votersOutgoing],
  learnersNext: [...s.learnersNext],
  autoLeave: s.autoLeave,
});
const metadataInit = (m: raft.SnapshotMetadata): object => ({
  confState: confStateInit(m.confState),
  index: BigInt(m.index),
  term: BigInt(m.term),
});
const snapshotInit = (s: raft.Snapshot): object => ({
  ...unlessEmpty("data", s.data),
  metadata: metadataInit(s.metadata),
});
const messageInit = (m: raft.Message): object => ({
  type: m.type,
  to: m.to,
  from: m.from,
  term: BigInt(m.term),
  logTerm: BigInt(m.logTerm),
  index: BigInt(m.index),
  entries: m.entries.map(entryInit),
  commit: BigInt(m.commit),
  ...(m.snapshot === null ? {} : { snapshot: snapshotInit(m.snapshot) }),
  reject: m.reject,
  rejectHint: BigInt(m.rejectHint),
  ...unlessEmpty("context", m.context),
});

/** Encodes as protobuf-es does, and reads as what was written. */
function sameBytes<T>(
  values: fc.Arbitrary<T>,
  schema: DescMessage,
  init: (value: T) => object,
  encode: (out: Writer, value: T) => void,
  decode: (bytes: Uint8Array) => unknown,
): void {
  fc.assert(
    fc.property(values, (value) => {
      const out = new Writer(1);
      encode(out, value);
      assert.deepEqual(
        out.view(),
        toBinary(schema, create(schema, init(value) as MessageInitShape<DescMessage>)),
      );
      assert.deepEqual(decode(out.view()), value);
    }),
    runs,
  );
}

test("raft entries, hard states and configurations have protobuf-es's bytes", () => {
  sameBytes(entry, raftPb.EntrySchema, entryInit, raft.encodeEntry, raft.decodeEntry);
  sameBytes(
    record({ term: number, vote: id, commit: number }),
    raftPb.HardStateSchema,
    (s) => ({ term: BigInt(s.term), vote: s.vote, commit: BigInt(s.commit) }),
    raft.encodeHardState,
    raft.decodeHardState,
  );
  sameBytes(
    confState,
    raftPb.ConfStateSchema,
    confStateInit,
    raft.encodeConfState,
    raft.decodeConfState,
  );
});

test("raft snapshots and messages have protobuf-es's bytes", () => {
  sameBytes(
    snapshot.map((s) => s.metadata),
    raftPb.SnapshotMetadataSchema,
    metadataInit,
    raft.encodeSnapshotMetadata,
    raft.decodeSnapshotMetadata,
  );
  sameBytes(
    snapshot,
    raftPb.SnapshotSchema,
    snapshotInit,
    raft.encodeSnapshot,
    raft.decodeSnapshot,
  );
  sameBytes(message, raftPb.MessageSchema, messageInit, raft.encodeMessage, raft.decodeMessage);
});

test("configuration changes have protobuf-es's bytes", () => {
  const single = record({ type: fc.nat(3), nodeId: id });
  sameBytes(
    record({
      transition: fc.nat(2),
      changes: fc.array(single, { maxLength: 3 }),
      context: data,
    }),
    raftPb.ConfChangeV2Schema,
    (c) => ({
      ...(c.transition === 0 ? {} : { transition: c.transition }),
      changes: c.changes,
      ...unlessEmpty("context", c.context),
    }),
    raft.encodeConfChangeV2,
    raft.decodeConfChangeV2,
  );
  fc.assert(
    fc.property(record({ id, type: fc.nat(3), nodeId: id, context: data }), (change) => {
      const { context, ...rest } = change;
      const init = create(raftPb.ConfChangeSchema, { ...rest, ...unlessEmpty("context", context) });
      assert.deepEqual(encodeConfChange(change), toBinary(raftPb.ConfChangeSchema, init));
    }),
    runs,
  );
});

test("raft numbers from 2^53 on are refused", () => {
  const { EntrySchema } = raftPb;
  for (const Index of [2n ** 53n, 2n ** 64n - 1n]) {
    const bytes = toBinary(EntrySchema, create(EntrySchema, { Index }));
    assert.throws(() => raft.decodeEntry(bytes), { name: "DecodeError" });
  }
});

test("an answer's header has protobuf-es's bytes", () => {
  fc.assert(
    fc.property(id, id, number, number, (clusterId, memberId, revision, raftTerm) => {
      const out = new Writer(1);
      new HeaderCodec(clusterId, memberId).write(out, revision, raftTerm);
      const header = {
        clusterId,
        memberId,
        revision: BigInt(revision),
        raftTerm: BigInt(raftTerm),
      };
      assert.deepEqual(
        out.view(),
        toBinary(PutResponseSchema, create(PutResponseSchema, { header })),
      );
    }),
    runs,
  );
});

test("an entry's data has protobuf-es's bytes, for requests on both sides of the header", () => {
  const requestId = fc.tuple(fc.nat(0xffff), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
  const fields = InternalRaftRequestSchema.fields.filter(
    (f) => f.message !== undefined && f.name !== "header",
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...fields),
      requestId,
      text,
      number,
      (field, [idHigh, idLow], username, authRevision) => {
        const body = create(field.message!);
        const request = create(InternalRaftRequestSchema, {
          header: {
            ID: (BigInt(idHigh) << 48n) | BigInt(idLow),
            username,
            authRevision: BigInt(authRevision),
          },
          [field.localName]: body,
        });
        const header = { idHigh, idLow, username, authRevision };
        const out = new Writer(1);
        const bodyBytes = toBinary(field.message!, body);
        encodeInternalRequest(out, field.number, bodyBytes, header);
        assert.deepEqual(out.view(), toBinary(InternalRaftRequestSchema, request));
        assert.deepEqual(decodeInternalRequest(out.view()), {
          ...header,
          field: field.number,
          body: bodyBytes,
        });
      },
    ),
    runs,
  );
});

test("an entry carries its request's bytes as they are", () => {
  const put = create(PutRequestSchema, { key: new Uint8Array([1]), value: new Uint8Array(300) });
  const body = toBinary(PutRequestSchema, put);
  const header = { idHigh: 1, idLow: 2, username: "", authRevision: 0 };
  const out = new Writer(1);
  encodeInternalRequest(out, 4, body, header);
  const request = create(InternalRaftRequestSchema, { header: { ID: (1n << 48n) | 2n }, put });
  assert.deepEqual(out.view(), toBinary(InternalRaftRequestSchema, request));
  assert.deepEqual(decodeInternalRequest(out.view()).body, body);
});

test("membership entries have protobuf-es's bytes", () => {
  fc.assert(
    fc.property(id, text, fc.array(text, { maxLength: 3 }), (memberId, name, clientUrls) => {
      const request = create(ClusterMemberAttrSetRequestSchema, {
        memberID: memberId,
        memberAttributes: { name, clientUrls },
      });
      assert.deepEqual(
        encodeClusterMemberAttrSet({ memberId, name, clientUrls }),
        toBinary(ClusterMemberAttrSetRequestSchema, request),
      );
    }),
    runs,
  );
  assert.deepEqual(
    encodeClusterVersionSet("3.7.0"),
    toBinary(
      ClusterVersionSetRequestSchema,
      create(ClusterVersionSetRequestSchema, { ver: "3.7.0" }),
    ),
  );
});

test("varintSize is the number of bytes that varint writes", () => {
  fc.assert(
    fc.property(number, (value) => {
      const out = new Writer(1);
      out.varint(value);
      assert.equal(out.length, varintSize(value));
    }),
    runs,
  );
});
