/** Each hand-written message beside its protobuf-es schema. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import * as alarm from "../../src/codec/alarm.ts";
import * as confChange from "../../src/codec/conf-change.ts";
import * as kv from "../../src/codec/kv.ts";
import * as lease from "../../src/codec/lease.ts";
import * as membership from "../../src/codec/membership.ts";
import * as raft from "../../src/codec/raft.ts";
import * as txn from "../../src/codec/txn.ts";
import { decodeWatchRequest } from "../../src/codec/watch.ts";
import { Writer } from "../../src/codec/writer.ts";
import * as kvPb from "../../src/gen/kv_pb.js";
import * as memberPb from "../../src/gen/membership_pb.js";
import * as raftPb from "../../src/gen/raft_pb.js";
import * as rpcPb from "../../src/gen/rpc_pb.js";

export interface Subject {
  readonly schema: DescMessage;
  readonly decode: (bytes: Uint8Array) => unknown;
  /** What `decode` has to give, read by protobuf-es. */
  readonly expected: (bytes: Uint8Array) => unknown;
  /** Decodes and encodes again; null where nothing encodes this message. */
  readonly recode: ((bytes: Uint8Array) => Uint8Array) | null;
  /** Numbers from 2^53 on are refused, not rounded. */
  readonly refusesHugeNumbers: boolean;
}

interface Parts<S extends DescMessage, T> {
  schema: S;
  decode: (bytes: Uint8Array) => T;
  project: (message: MessageShape<S>) => unknown;
  encode?: (out: Writer, value: T) => void;
  refusesHugeNumbers?: boolean;
}

function subject<S extends DescMessage, T>(parts: Parts<S, T>): Subject {
  const { schema, decode, project, encode } = parts;
  return {
    schema,
    decode,
    expected: (bytes) => project(fromBinary(schema, bytes)),
    recode:
      encode === undefined
        ? null
        : (bytes) => {
            const out = new Writer(16);
            encode(out, decode(bytes));
            return out.copy();
          },
    refusesHugeNumbers: parts.refusesHugeNumbers ?? false,
  };
}

const rangeOf = (m: rpcPb.RangeRequest): object => ({
  key: m.key,
  rangeEnd: m.rangeEnd,
  limit: Number(m.limit),
  revision: Number(m.revision),
  sortOrder: m.sortOrder,
  sortTarget: m.sortTarget,
  serializable: m.serializable,
  keysOnly: m.keysOnly,
  countOnly: m.countOnly,
  minModRevision: Number(m.minModRevision),
  maxModRevision: Number(m.maxModRevision),
  minCreateRevision: Number(m.minCreateRevision),
  maxCreateRevision: Number(m.maxCreateRevision),
});

const putOf = (m: rpcPb.PutRequest): object => ({
  key: m.key,
  value: m.value,
  lease: m.lease,
  prevKv: m.prevKv,
  ignoreValue: m.ignoreValue,
  ignoreLease: m.ignoreLease,
});

const deleteRangeOf = (m: rpcPb.DeleteRangeRequest): object => ({
  key: m.key,
  rangeEnd: m.rangeEnd,
  prevKv: m.prevKv,
});

const txnOf = (m: rpcPb.TxnRequest): object => ({
  compare: m.compare.map(compareOf),
  success: m.success.map(opOf),
  failure: m.failure.map(opOf),
});

const unionFields = { version: 4, createRevision: 5, modRevision: 6, value: 7, lease: 8 } as const;

function compareOf(m: rpcPb.Compare): object {
  const { case: member, value } = m.targetUnion;
  const isNumber = member === "version" || member === "createRevision" || member === "modRevision";
  return {
    result: m.result,
    target: m.target,
    key: m.key,
    rangeEnd: m.rangeEnd,
    union: member === undefined ? 0 : unionFields[member],
    number: isNumber ? Number(value) : 0,
    value: member === "value" ? value : new Uint8Array(0),
    lease: member === "lease" ? value : 0n,
  };
}

function opOf({ request }: rpcPb.RequestOp): object {
  switch (request.case) {
    case "requestRange":
      return { kind: "range", range: rangeOf(request.value) };
    case "requestPut":
      return { kind: "put", put: putOf(request.value) };
    case "requestDeleteRange":
      return { kind: "deleteRange", deleteRange: deleteRangeOf(request.value) };
    case "requestTxn":
      return { kind: "txn", txn: txnOf(request.value) };
    case undefined:
      return { kind: "none" };
  }
}

function watchOf({ requestUnion }: rpcPb.WatchRequest): object {
  switch (requestUnion.case) {
    case "createRequest": {
      const m = requestUnion.value;
      const create = {
        key: m.key,
        rangeEnd: m.rangeEnd,
        startRevision: Number(m.startRevision),
        progressNotify: m.progressNotify,
        noPut: m.filters.includes(rpcPb.WatchCreateRequest_FilterType.NOPUT),
        noDelete: m.filters.includes(rpcPb.WatchCreateRequest_FilterType.NODELETE),
        prevKv: m.prevKv,
        watchId: Number(m.watchId),
        fragment: m.fragment,
      };
      return { kind: "create", create };
    }
    case "cancelRequest":
      return { kind: "cancel", watchId: Number(requestUnion.value.watchId) };
    case "progressRequest":
      return { kind: "progress" };
    case undefined:
      return { kind: "none" };
  }
}

const entryOf = (m: raftPb.Entry): object => ({
  type: m.Type,
  term: Number(m.Term),
  index: Number(m.Index),
  data: m.Data,
});

const confStateOf = (m: raftPb.ConfState | undefined): object => ({
  voters: m?.voters ?? [],
  learners: m?.learners ?? [],
  votersOutgoing: m?.votersOutgoing ?? [],
  learnersNext: m?.learnersNext ?? [],
  autoLeave: m?.autoLeave ?? false,
});

const metadataOf = (m: raftPb.SnapshotMetadata | undefined): object => ({
  confState: confStateOf(m?.confState),
  index: Number(m?.index ?? 0),
  term: Number(m?.term ?? 0),
});

const snapshotOf = (m: raftPb.Snapshot): object => ({
  metadata: metadataOf(m.metadata),
  data: m.data,
});

const messageOf = (m: raftPb.Message): object => ({
  type: m.type,
  to: m.to,
  from: m.from,
  term: Number(m.term),
  logTerm: Number(m.logTerm),
  index: Number(m.index),
  entries: m.entries.map(entryOf),
  commit: Number(m.commit),
  snapshot: m.snapshot === undefined ? null : snapshotOf(m.snapshot),
  reject: m.reject,
  rejectHint: Number(m.rejectHint),
  context: m.context,
});

const kvSubjects: readonly Subject[] = [
  subject({
    schema: kvPb.KeyValueSchema,
    decode: kv.decodeKeyValue,
    encode: kv.encodeKeyValue,
    project: (m) => ({
      key: m.key,
      createRevision: Number(m.createRevision),
      modRevision: Number(m.modRevision),
      version: Number(m.version),
      value: m.value,
      lease: m.lease,
    }),
  }),
  subject({
    schema: rpcPb.RangeRequestSchema,
    decode: kv.decodeRangeRequest,
    encode: kv.encodeRangeRequest,
    project: rangeOf,
  }),
  subject({
    schema: rpcPb.PutRequestSchema,
    decode: kv.decodePutRequest,
    encode: kv.encodePutRequest,
    project: putOf,
  }),
  subject({
    schema: rpcPb.DeleteRangeRequestSchema,
    decode: kv.decodeDeleteRangeRequest,
    encode: kv.encodeDeleteRangeRequest,
    project: deleteRangeOf,
  }),
  subject({
    schema: rpcPb.TxnRequestSchema,
    decode: txn.decodeTxnRequest,
    encode: txn.encodeTxnRequest,
    project: txnOf,
  }),
  subject({
    schema: rpcPb.CompactionRequestSchema,
    decode: txn.decodeCompactionRequest,
    encode: txn.encodeCompactionRequest,
    project: (m) => ({ revision: Number(m.revision), physical: m.physical }),
  }),
  subject({ schema: rpcPb.WatchRequestSchema, decode: decodeWatchRequest, project: watchOf }),
];

const leaseSubjects: readonly Subject[] = [
  subject({
    schema: rpcPb.LeaseGrantRequestSchema,
    decode: lease.decodeLeaseGrantRequest,
    encode: lease.encodeLeaseGrantRequest,
    project: (m) => ({ ttl: Number(m.TTL), id: m.ID }),
  }),
  subject({
    schema: rpcPb.LeaseRevokeRequestSchema,
    decode: lease.decodeLeaseIdRequest,
    encode: (out, { id }) => lease.encodeLeaseIdRequest(out, id),
    project: (m) => ({ id: m.ID }),
  }),
  subject({
    schema: rpcPb.LeaseTimeToLiveRequestSchema,
    decode: lease.decodeLeaseTimeToLiveRequest,
    encode: lease.encodeLeaseTimeToLiveRequest,
    project: (m) => ({ id: m.ID, keys: m.keys }),
  }),
  subject({
    schema: rpcPb.LeaseCheckpointRequestSchema,
    decode: lease.decodeLeaseCheckpointRequest,
    project: (m) => m.checkpoints.map((c) => ({ id: c.ID, remainingTtl: Number(c.remainingTTL) })),
  }),
];

const memberSubjects: readonly Subject[] = [
  subject({
    schema: rpcPb.AlarmRequestSchema,
    decode: alarm.decodeAlarmRequest,
    encode: alarm.encodeAlarmRequest,
    project: (m) => ({ action: m.action, memberId: m.memberID, alarm: m.alarm }),
  }),
  subject({
    schema: rpcPb.AlarmMemberSchema,
    decode: alarm.decodeAlarmMember,
    encode: alarm.writeAlarmMember,
    project: (m) => ({ memberId: m.memberID, alarm: m.alarm }),
  }),
  subject({
    schema: memberPb.ClusterMemberAttrSetRequestSchema,
    decode: membership.decodeClusterMemberAttrSet,
    project: (m) => ({
      memberId: m.memberID,
      name: m.memberAttributes?.name ?? "",
      clientUrls: m.memberAttributes?.clientUrls ?? [],
    }),
  }),
  subject({
    schema: memberPb.ClusterVersionSetRequestSchema,
    decode: membership.decodeClusterVersionSet,
    project: (m) => m.ver,
  }),
];

const raftSubjects: readonly Subject[] = [
  subject({ schema: raftPb.EntrySchema, decode: raft.decodeEntry, project: entryOf }),
  subject({
    schema: raftPb.HardStateSchema,
    decode: raft.decodeHardState,
    project: (m) => ({ term: Number(m.term), vote: m.vote, commit: Number(m.commit) }),
  }),
  subject({ schema: raftPb.ConfStateSchema, decode: raft.decodeConfState, project: confStateOf }),
  subject({
    schema: raftPb.SnapshotMetadataSchema,
    decode: raft.decodeSnapshotMetadata,
    project: metadataOf,
  }),
  subject({ schema: raftPb.SnapshotSchema, decode: raft.decodeSnapshot, project: snapshotOf }),
  subject({ schema: raftPb.MessageSchema, decode: raft.decodeMessage, project: messageOf }),
  subject({
    schema: raftPb.ConfChangeV2Schema,
    decode: raft.decodeConfChangeV2,
    project: (m) => ({
      transition: m.transition,
      changes: m.changes.map((c) => ({ type: c.type, nodeId: c.nodeId })),
      context: m.context,
    }),
  }),
  subject({
    schema: raftPb.ConfChangeSchema,
    decode: confChange.decodeConfChange,
    project: (m) => ({ id: m.id, type: m.type, nodeId: m.nodeId, context: m.context }),
  }),
].map((s) => ({ ...s, refusesHugeNumbers: true }));

export const subjects: readonly Subject[] = [
  ...kvSubjects,
  ...leaseSubjects,
  ...memberSubjects,
  ...raftSubjects,
];
