/** Requests that no client should send, with what etcd 3.7.1 answers to each. */
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";

import { concat, utf8 } from "../../src/base/bytes.ts";
import * as rpc from "../../src/gen/rpc_pb.js";
import { methods } from "./client.ts";

export interface BadRequest {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

const key = utf8("bad/a");
const leaseTarget = rpc.Compare_CompareTarget.LEASE;
const edges = [-(2n ** 63n), -1n, 2n ** 53n, 2n ** 63n - 1n];
const mib = 1024 * 1024;
const txnOpsMax = 128;

interface Method<Q extends DescMessage> {
  readonly path: string;
  readonly request: Q;
}

function encoded<Q extends DescMessage>(
  name: string,
  { path, request }: Method<Q>,
  init: MessageInitShape<Q>,
): BadRequest {
  return { name, path, bytes: toBinary(request, create(request, init)) };
}

type Op = MessageInitShape<typeof rpc.RequestOpSchema>;
type Txn = MessageInitShape<typeof rpc.TxnRequestSchema>;
const put = (name: string): Op => ({
  request: { case: "requestPut", value: { key: utf8(name) } },
});
const deletion = (name: string, end: string): Op => ({
  request: { case: "requestDeleteRange", value: { key: utf8(name), rangeEnd: utf8(end) } },
});
const nested = (txn: Txn): Op => ({ request: { case: "requestTxn", value: txn } });
const puts = (count: number, prefix = "bad/"): Op[] =>
  Array.from({ length: count }, (_, i) => put(`${prefix}${String(i)}`));

/** A txn around txns, `depth` of them, each with one operation. */
function deep(depth: number): BadRequest {
  const heads: Uint8Array[] = [];
  let size = 0;
  for (let i = 0; i < depth; i++) {
    const inner = concat([Uint8Array.of(tag(4, 2)), varint(size)]); // RequestOp.request_txn
    const outer = concat([Uint8Array.of(tag(2, 2)), varint(inner.length + size)]); // success
    heads.push(inner, outer);
    size += inner.length + outer.length;
  }
  const bytes = concat(heads.reverse());
  return { name: `txn nested ${String(depth)} deep`, path: methods.txn.path, bytes };
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
  return Uint8Array.from([...out, value]);
}

function shapes(): BadRequest[] {
  const { range, txn, deleteRange } = methods;
  return [
    encoded("range without a key", range, {}),
    encoded("put without a key", methods.put, { value: key }),
    encoded("put of a value to ignore", methods.put, { key, value: key, ignoreValue: true }),
    encoded("put of a lease to ignore", methods.put, { key, lease: 1n, ignoreLease: true }),
    encoded("put keeping a missing value", methods.put, { key, ignoreValue: true }),
    encoded("put keeping a missing lease", methods.put, { key, ignoreLease: true }),
    encoded("put with a missing lease", methods.put, { key, lease: 12345n }),
    encoded("delete without a key", deleteRange, { rangeEnd: key }),
    encoded("txn of nothing", txn, {}),
    encoded("txn with an empty operation", txn, { success: [{}] }),
    encoded("txn with an empty compare", txn, { compare: [{}] }),
    encoded("txn with too many operations", txn, { success: puts(txnOpsMax + 1) }),
    encoded("txn with too many compares", txn, {
      compare: Array.from({ length: txnOpsMax + 1 }, () => ({ key })),
    }),
    encoded("txn with as many as allowed", txn, { success: puts(txnOpsMax) }),
    encoded("txn that nests too many", txn, {
      success: [nested({ success: puts(txnOpsMax) })],
    }),
    encoded("txn that puts twice", txn, { success: [put("bad/a"), put("bad/a")] }),
    encoded("txn that puts what it deletes", txn, {
      failure: [put("bad/a"), deletion("bad/", "bad0")],
    }),
    encoded("txn that puts twice, once nested", txn, {
      success: [put("bad/a"), nested({ failure: [put("bad/a")] })],
    }),
    ...[txnOpsMax, txnOpsMax + 1, 500, 5000, 150_000].map(deep),
    encoded("grant of too long a lease", methods.leaseGrant, { TTL: 9_000_000_001n }),
    encoded("revoke of a missing lease", methods.leaseRevoke, { ID: 12345n }),
    encoded("compaction of the future", methods.compact, { revision: 1_000_000n }),
    encoded("hash of the future", methods.hashKv, { revision: 1_000_000n }),
  ];
}

function sizes(): BadRequest[] {
  const value = (bytes: number): Uint8Array => new Uint8Array(bytes);
  return [
    encoded("put of 1.5 MiB", methods.put, { key, value: value(1.5 * mib) }),
    encoded("put of 2 MiB", methods.put, { key, value: value(2 * mib - 64) }),
    encoded("put beyond 2 MiB", methods.put, { key, value: value(2 * mib + 1) }),
    encoded("put with a key of 1.5 MiB", methods.put, { key: value(1.5 * mib) }),
  ];
}

function numbers(): BadRequest[] {
  const { range, put, txn, leaseGrant, leaseRevoke, timeToLive, hashKv, compact, alarm } = methods;
  return edges.flatMap((edge) => [
    encoded(`range limit ${String(edge)}`, range, { key, limit: edge }),
    encoded(`range revision ${String(edge)}`, range, { key, revision: edge }),
    encoded(`range min mod ${String(edge)}`, range, { key, minModRevision: edge }),
    encoded(`range max mod ${String(edge)}`, range, { key, maxModRevision: edge }),
    encoded(`range min create ${String(edge)}`, range, { key, minCreateRevision: edge }),
    encoded(`range max create ${String(edge)}`, range, { key, maxCreateRevision: edge }),
    encoded(`put lease ${String(edge)}`, put, { key, lease: edge }),
    encoded(`txn range revision ${String(edge)}`, txn, {
      success: [{ request: { case: "requestRange", value: { key, revision: edge } } }],
    }),
    encoded(`txn compare version ${String(edge)}`, txn, {
      compare: [{ key, targetUnion: { case: "version", value: edge } }],
    }),
    encoded(`txn compare lease ${String(edge)}`, txn, {
      compare: [{ key, target: leaseTarget, targetUnion: { case: "lease", value: edge } }],
    }),
    encoded(`grant TTL ${String(edge)}`, leaseGrant, { ID: 77n, TTL: edge }),
    encoded(`revoke ${String(edge)}`, leaseRevoke, { ID: edge }),
    encoded(`grant ID ${String(edge)}`, leaseGrant, { ID: edge, TTL: 1000n }),
    encoded(`time to live ${String(edge)}`, timeToLive, { ID: edge, keys: true }),
    encoded(`revoke again ${String(edge)}`, leaseRevoke, { ID: edge }),
    encoded(`hash revision ${String(edge)}`, hashKv, { revision: edge }),
    encoded(`compaction ${String(edge)}`, compact, { revision: edge }),
    encoded(`alarm member ${String(edge)}`, alarm, { memberID: BigInt.asUintN(64, edge) }),
  ]);
}

const minusOne = [...new Array<number>(9).fill(0xff), 1];
const tag = (field: number, wire: number): number => field * 8 + wire;
const bytesField = (field: number, text: Uint8Array): Uint8Array =>
  concat([Uint8Array.of(tag(field, 2), text.length), text]);

/** Bytes that are no such message, or only just. */
function malformed(): BadRequest[] {
  const { range, put, txn, alarm, leaseGrant, status } = methods;
  const raw = (name: string, { path }: { path: string }, ...bytes: number[]): BadRequest => ({
    ...{ name, path, bytes: Uint8Array.from(bytes) },
  });
  const health = "/grpc.health.v1.Health/Check";
  const badText = bytesField(1, Uint8Array.of(0xff, 0xfe));
  return [
    raw("put cut in a tag", put, 0x80),
    raw("put cut in a length", put, tag(1, 2), 0x80),
    raw("put cut in a key", put, tag(1, 2), 5, 1, 2),
    raw("put with an endless varint", put, tag(3, 0), ...new Array<number>(11).fill(0xff)),
    raw("put with field number 0", put, 0, 1),
    raw("put with a wire type that is none", put, tag(1, 7), 1),
    raw("put with a length beyond 2 GiB", put, tag(1, 2), 0xff, 0xff, 0xff, 0xff, 0x7f),
    raw("put with a negative length", put, tag(1, 2), ...minusOne),
    raw("put with an end of no group", put, tag(9, 4)),
    raw("put with an open group", put, tag(9, 3)),
    raw("put with a key as a number", put, tag(1, 0), 1),
    raw("range with an unknown order", range, tag(1, 2), 1, 97, tag(5, 0), 3),
    raw("range with an unknown target", range, tag(1, 2), 1, 97, tag(6, 0), 5),
    raw("range with a negative order", range, tag(1, 2), 1, 97, tag(5, 0), ...minusOne),
    raw("range with a broken limit", range, tag(1, 2), 1, 97, tag(3, 0), 0x80),
    raw("txn with a broken compare", txn, tag(1, 2), 2, tag(3, 2), 9),
    raw("txn with a broken nested put", txn, tag(2, 2), 4, tag(2, 2), 2, tag(1, 2), 9),
    raw("alarm with a broken number", alarm, tag(1, 0)),
    raw("grant with a broken number", leaseGrant, tag(1, 0), 0x80, 0x80),
    raw("status with broken bytes", status, 0x80),
    { name: "health of a name that is not UTF-8", path: health, bytes: badText },
    { name: "health of an unknown name", path: health, bytes: bytesField(1, utf8("x")) },
    { name: "an unknown method", path: "/etcdserverpb.KV/Foo", bytes: key },
    { name: "an unknown service", path: "/etcdserverpb.Foo/Range", bytes: key },
    { name: "a path without a method", path: "/Range", bytes: key },
  ];
}

export function badRequests(): BadRequest[] {
  return [...shapes(), ...numbers(), ...malformed(), ...sizes()];
}
