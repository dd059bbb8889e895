/** The requests of test/check/history.ts as etcd's messages, and its answers back. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { fromBinaryString, toBinaryString } from "../../../src/base/bytes.ts";
import type { KeyValue } from "../../../src/gen/kv_pb.js";
import * as rpc from "../../../src/gen/rpc_pb.js";
import type { Compare, Kv, KvRequest, KvResponse } from "../../check/history.ts";

export interface EncodedRequest {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const kv = "/etcdserverpb.KV/";
const lease = "/etcdserverpb.Lease/";
const none = new Uint8Array(0);

export function encodeRequest(request: KvRequest): EncodedRequest {
  switch (request.kind) {
    case "put":
      return { path: `${kv}Put`, bytes: toBinary(rpc.PutRequestSchema, putOf(request)) };
    case "delete": {
      const message = deleteOf(request);
      return { path: `${kv}DeleteRange`, bytes: toBinary(rpc.DeleteRangeRequestSchema, message) };
    }
    case "range":
      return { path: `${kv}Range`, bytes: toBinary(rpc.RangeRequestSchema, rangeOf(request)) };
    case "txn": {
      const message = create(rpc.TxnRequestSchema, {
        compare: request.compares.map(compareOf),
        success: request.success.map(opOf),
        failure: request.failure.map(opOf),
      });
      return { path: `${kv}Txn`, bytes: toBinary(rpc.TxnRequestSchema, message) };
    }
    case "grant": {
      const message = create(rpc.LeaseGrantRequestSchema, { ID: BigInt(request.lease), TTL: 2n });
      return { path: `${lease}LeaseGrant`, bytes: toBinary(rpc.LeaseGrantRequestSchema, message) };
    }
    case "revoke": {
      const message = create(rpc.LeaseRevokeRequestSchema, { ID: BigInt(request.lease) });
      const bytes = toBinary(rpc.LeaseRevokeRequestSchema, message);
      return { path: `${lease}LeaseRevoke`, bytes };
    }
  }
}

export function decodeResponse(request: KvRequest, bytes: Uint8Array): KvResponse {
  switch (request.kind) {
    case "put": {
      const { header } = fromBinary(rpc.PutResponseSchema, bytes);
      return { kind: "put", revision: revisionOf(header) };
    }
    case "delete":
      return deleted(fromBinary(rpc.DeleteRangeResponseSchema, bytes));
    case "range":
      return ranged(fromBinary(rpc.RangeResponseSchema, bytes));
    case "txn":
      return txnResult(fromBinary(rpc.TxnResponseSchema, bytes));
    case "grant": {
      const { header } = fromBinary(rpc.LeaseGrantResponseSchema, bytes);
      return { kind: "grant", revision: revisionOf(header) };
    }
    case "revoke": {
      const { header } = fromBinary(rpc.LeaseRevokeResponseSchema, bytes);
      return { kind: "revoke", revision: revisionOf(header) };
    }
  }
}

type Of<K extends KvRequest["kind"]> = KvRequest & { kind: K };

function putOf({ key, value, lease: id }: Of<"put">): rpc.PutRequest {
  return create(rpc.PutRequestSchema, {
    ...{ key: fromBinaryString(key), value: fromBinaryString(value), lease: BigInt(id ?? 0) },
  });
}

function deleteOf({ key, end }: Of<"delete">): rpc.DeleteRangeRequest {
  const rangeEnd = end === undefined ? none : fromBinaryString(end);
  return create(rpc.DeleteRangeRequestSchema, { key: fromBinaryString(key), rangeEnd });
}

function rangeOf({ key, end, revision, isSerializable }: Of<"range">): rpc.RangeRequest {
  return create(rpc.RangeRequestSchema, {
    key: fromBinaryString(key),
    rangeEnd: end === undefined ? none : fromBinaryString(end),
    revision: BigInt(revision ?? 0),
    serializable: isSerializable ?? false,
  });
}

function opOf(request: KvRequest): rpc.RequestOp {
  switch (request.kind) {
    case "put":
      return create(rpc.RequestOpSchema, {
        request: { case: "requestPut", value: putOf(request) },
      });
    case "delete":
      return create(rpc.RequestOpSchema, {
        request: { case: "requestDeleteRange", value: deleteOf(request) },
      });
    case "range":
      return create(rpc.RequestOpSchema, {
        request: { case: "requestRange", value: rangeOf(request) },
      });
    case "txn":
    case "grant":
    case "revoke":
      throw new Error(`${request.kind} within a transaction`);
  }
}

const results = {
  "=": rpc.Compare_CompareResult.EQUAL,
  "!=": rpc.Compare_CompareResult.NOT_EQUAL,
  "<": rpc.Compare_CompareResult.LESS,
  ">": rpc.Compare_CompareResult.GREATER,
} as const;

function compareOf({ key, target, result, operand }: Compare): rpc.Compare {
  const base = { key: fromBinaryString(key), result: results[result] };
  if (target === "value") {
    return create(rpc.CompareSchema, {
      ...{ ...base, target: rpc.Compare_CompareTarget.VALUE },
      targetUnion: { case: "value", value: fromBinaryString(String(operand)) },
    });
  }
  const value = BigInt(operand);
  if (target === "version") {
    const targetUnion = { case: "version", value } as const;
    const version = rpc.Compare_CompareTarget.VERSION;
    return create(rpc.CompareSchema, { ...base, target: version, targetUnion });
  }
  const isMod = target === "mod";
  return create(rpc.CompareSchema, {
    ...base,
    target: isMod ? rpc.Compare_CompareTarget.MOD : rpc.Compare_CompareTarget.CREATE,
    targetUnion: { case: isMod ? "modRevision" : "createRevision", value },
  });
}

function revisionOf(header: rpc.ResponseHeader | undefined): number {
  return Number(header?.revision ?? 0n);
}

function deleted({ header, deleted: count }: rpc.DeleteRangeResponse): KvResponse {
  return { kind: "delete", revision: revisionOf(header), deleted: Number(count) };
}

function ranged({ header, kvs }: rpc.RangeResponse): KvResponse {
  return { kind: "range", revision: revisionOf(header), kvs: kvs.map(kvOf) };
}

function txnResult({ header, succeeded, responses }: rpc.TxnResponse): KvResponse {
  const inner = responses.map(({ response }): KvResponse => {
    if (response.case === "responsePut") return { kind: "put", revision: 0 };
    if (response.case === "responseDeleteRange") return deleted(response.value);
    if (response.case === "responseRange") return ranged(response.value);
    throw new Error("a transaction's answer is missing");
  });
  return { kind: "txn", revision: revisionOf(header), succeeded, responses: inner };
}

export function kvOf(message: KeyValue): Kv {
  return {
    key: toBinaryString(message.key),
    value: toBinaryString(message.value),
    create: Number(message.createRevision),
    mod: Number(message.modRevision),
    version: Number(message.version),
    lease: message.lease.toString(),
  };
}
