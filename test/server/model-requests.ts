/** Random requests for server and model, and both sides' answers in one form. */
import type { MessageInitShape } from "@bufbuild/protobuf";

import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import type { Random } from "../../src/base/ports.ts";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../src/codec/messages.ts";
import type { KeyValue } from "../../src/gen/kv_pb.js";
import * as rpc from "../../src/gen/rpc_pb.js";
import type { ModelKv, ModelResponse } from "../model/etcd-model.ts";

const sortOrders = [
  rpc.RangeRequest_SortOrder.NONE,
  rpc.RangeRequest_SortOrder.ASCEND,
  rpc.RangeRequest_SortOrder.DESCEND,
];
const sortTargets = [
  rpc.RangeRequest_SortTarget.KEY,
  rpc.RangeRequest_SortTarget.VERSION,
  rpc.RangeRequest_SortTarget.CREATE,
  rpc.RangeRequest_SortTarget.MOD,
  rpc.RangeRequest_SortTarget.VALUE,
];
const results = [
  rpc.Compare_CompareResult.EQUAL,
  rpc.Compare_CompareResult.GREATER,
  rpc.Compare_CompareResult.LESS,
  rpc.Compare_CompareResult.NOT_EQUAL,
];
const targets = [
  rpc.Compare_CompareTarget.VERSION,
  rpc.Compare_CompareTarget.CREATE,
  rpc.Compare_CompareTarget.MOD,
  rpc.Compare_CompareTarget.VALUE,
  rpc.Compare_CompareTarget.LEASE,
];

const keys = ["a", "a\0", "ab", "b", "ba", "c", "d", "\xff", "\xff\xff"];
const ends = ["", "", "\0", "b", "c", "z", "a"];
const values = ["", "1", "2", "x".repeat(40), "\0\xff"];
export const leaseIds = [1n, 2n, 3n, 4n, -5n, 2n ** 62n];

/** Makes requests around the revision at hand. */
export class RequestMaker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(n: number): number {
    return this.#random.below(n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  key(): Uint8Array {
    return fromBinaryString(this.pick(keys));
  }

  range(revision: number): RangeRequest {
    const some = (): number => (this.once(4) ? this.below(revision + 2) : 0);
    return {
      key: this.once(8) ? fromBinaryString("\0") : this.key(),
      rangeEnd: fromBinaryString(this.pick(ends)),
      limit: this.once(2) ? this.below(4) : 0,
      revision: this.once(2) ? 0 : this.near(revision),
      sortOrder: this.below(3),
      sortTarget: this.below(5),
      serializable: this.once(2),
      keysOnly: this.once(4),
      countOnly: this.once(6),
      minModRevision: some(),
      maxModRevision: some(),
      minCreateRevision: some(),
      maxCreateRevision: some(),
      canonical: true,
    };
  }

  /** A revision a few before the newest, or one after. */
  near(revision: number): number {
    return Math.max(1, revision + 1 - this.below(12));
  }

  put(key = this.key()): PutRequest {
    const ignoreValue = this.once(8);
    const ignoreLease = this.once(8);
    return {
      key,
      value: fromBinaryString(ignoreValue ? "" : this.pick(values)),
      lease: ignoreLease || this.once(2) ? 0n : this.pick(leaseIds),
      prevKv: this.once(2),
      ignoreValue,
      ignoreLease,
      canonical: true,
    };
  }

  deleteRange(key = this.key()): DeleteRangeRequest {
    const rangeEnd = fromBinaryString(this.pick(ends));
    return { key, rangeEnd, prevKv: this.once(2), canonical: true };
  }

  /** No key is written twice in it: that is refused before the model. */
  txn(revision: number): TxnRequest {
    const free = keys.filter(() => this.once(2)).map(fromBinaryString);
    return this.#txn(revision, free, 2);
  }

  #txn(revision: number, free: Uint8Array[], depth: number): TxnRequest {
    const ops = (): RequestOp[] =>
      Array.from({ length: this.below(4) }, () => this.#op(revision, free, depth));
    const compare = Array.from({ length: this.below(3) }, () => this.#compare(revision));
    return { compare, success: ops(), failure: ops(), canonical: true };
  }

  #op(revision: number, free: Uint8Array[], depth: number): RequestOp {
    if (depth > 0 && this.once(6)) {
      return { kind: "txn", txn: this.#txn(revision, free, depth - 1) };
    }
    const key = free.length > 0 && !this.once(3) ? free.pop() : undefined;
    if (key === undefined) {
      return { kind: "range", range: { ...this.range(revision), serializable: false } };
    }
    if (!this.once(3)) return { kind: "put", put: this.put(key) };
    const rangeEnd = new Uint8Array(0);
    return { kind: "deleteRange", deleteRange: { ...this.deleteRange(key), rangeEnd } };
  }

  #compare(revision: number): Compare {
    const target = this.below(5);
    const number = target === 0 ? this.below(3) : this.near(revision);
    return {
      result: this.below(4),
      target,
      key: this.key(),
      rangeEnd: this.once(4) ? fromBinaryString(this.pick(ends)) : new Uint8Array(0),
      union: target + 4,
      number: target < 3 ? number : 0,
      value: fromBinaryString(target === 3 ? this.pick(values) : ""),
      lease: target === 4 ? this.pick(leaseIds) : 0n,
    };
  }
}

export function rangeInit(range: RangeRequest): MessageInitShape<typeof rpc.RangeRequestSchema> {
  return {
    ...{ key: range.key, rangeEnd: range.rangeEnd, serializable: range.serializable },
    sortOrder: sortOrders[range.sortOrder]!,
    sortTarget: sortTargets[range.sortTarget]!,
    ...{ keysOnly: range.keysOnly, countOnly: range.countOnly },
    limit: BigInt(range.limit),
    revision: BigInt(range.revision),
    minModRevision: BigInt(range.minModRevision),
    maxModRevision: BigInt(range.maxModRevision),
    minCreateRevision: BigInt(range.minCreateRevision),
    maxCreateRevision: BigInt(range.maxCreateRevision),
  };
}

export function putInit(put: PutRequest): MessageInitShape<typeof rpc.PutRequestSchema> {
  const { key, value, lease, prevKv, ignoreValue, ignoreLease } = put;
  return { key, value, lease, prevKv, ignoreValue, ignoreLease };
}

type DeleteInit = MessageInitShape<typeof rpc.DeleteRangeRequestSchema>;
export function deleteInit({ key, rangeEnd, prevKv }: DeleteRangeRequest): DeleteInit {
  return { key, rangeEnd, prevKv };
}

export function txnInit(txn: TxnRequest): MessageInitShape<typeof rpc.TxnRequestSchema> {
  return {
    compare: txn.compare.map(compareInit),
    success: txn.success.map(opInit),
    failure: txn.failure.map(opInit),
  };
}

function compareInit(c: Compare): MessageInitShape<typeof rpc.CompareSchema> {
  const { key, rangeEnd } = c;
  const result = results[c.result]!;
  const target = targets[c.target]!;
  const value = BigInt(c.number);
  const targetUnion = [
    { case: "version" as const, value },
    { case: "createRevision" as const, value },
    { case: "modRevision" as const, value },
    { case: "value" as const, value: c.value },
    { case: "lease" as const, value: c.lease },
  ][c.target]!;
  return { result, target, key, rangeEnd, targetUnion };
}

function opInit(op: RequestOp): MessageInitShape<typeof rpc.RequestOpSchema> {
  switch (op.kind) {
    case "range":
      return { request: { case: "requestRange", value: rangeInit(op.range) } };
    case "put":
      return { request: { case: "requestPut", value: putInit(op.put) } };
    case "deleteRange":
      return { request: { case: "requestDeleteRange", value: deleteInit(op.deleteRange) } };
    case "txn":
      return { request: { case: "requestTxn", value: txnInit(op.txn) } };
    case "none":
      return {};
  }
}

export function kvOf(kv: KeyValue): ModelKv {
  return {
    key: toBinaryString(kv.key),
    value: toBinaryString(kv.value),
    create: Number(kv.createRevision),
    mod: Number(kv.modRevision),
    version: Number(kv.version),
    lease: kv.lease,
  };
}

export function rangeOf(m: rpc.RangeResponse): ModelResponse {
  const { more } = m;
  return { kind: "range", kvs: m.kvs.map(kvOf), count: Number(m.count), more, ...headerOf(m) };
}

export function putOf(m: rpc.PutResponse): ModelResponse {
  return { kind: "put", ...headerOf(m), prevKv: m.prevKv === undefined ? null : kvOf(m.prevKv) };
}

export function deleteOf(m: rpc.DeleteRangeResponse): ModelResponse {
  const prevKvs = m.prevKvs.map(kvOf);
  return { kind: "deleteRange", ...headerOf(m), deleted: Number(m.deleted), prevKvs };
}

export function txnOf(m: rpc.TxnResponse): ModelResponse {
  const responses = m.responses.map(({ response }) => {
    if (response.case === "responseRange") return rangeOf(response.value);
    if (response.case === "responsePut") return putOf(response.value);
    if (response.case === "responseDeleteRange") return deleteOf(response.value);
    if (response.case === "responseTxn") return txnOf(response.value);
    throw new Error("an empty response");
  });
  return { kind: "txn", ...headerOf(m), succeeded: m.succeeded, responses };
}

function headerOf(m: { header?: rpc.ResponseHeader | undefined }): { revision: number } {
  return { revision: Number(m.header?.revision ?? -1n) };
}
