/** TxnRequest, nested to any depth, and CompactionRequest. */

import { concat, emptyBytes } from "../base/bytes.ts";
import {
  boolField,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  int64Field,
} from "./kv.ts";
import type { CompactionRequest, Compare, RequestOp, TxnRequest } from "./messages.ts";
import { DecodeError, nestingMax, Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

// Compare, success and failure may repeat.
const txnRepeated = (1 << 1) | (1 << 2) | (1 << 3);

/** @throws DecodeError also for a nesting deeper than `nestingMax`. */
export function decodeTxnRequest(bytes: Uint8Array): TxnRequest {
  return decodeTxn(bytes, 0);
}

function decodeTxn(bytes: Uint8Array, depth: number): TxnRequest {
  if (depth > nestingMax) throw new DecodeError("proto: exceeded maximum recursion depth");
  const txn: TxnRequest = { compare: [], success: [], failure: [], canonical: true };
  const r = new Reader(bytes, txnRepeated);
  let nestedCanonical = true;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a: {
        const { compare, canonical } = decodeCompare(r.presentBytes());
        nestedCanonical &&= canonical;
        txn.compare.push(compare);
        break;
      }
      case 0x12:
      case 0x1a: {
        const { op, canonical } = decodeRequestOp(r.presentBytes(), depth);
        nestedCanonical &&= canonical;
        (r.tag === 0x12 ? txn.success : txn.failure).push(op);
        break;
      }
      default:
        r.skip();
    }
  }
  txn.canonical = r.canonical && nestedCanonical;
  return txn;
}

function decodeCompare(bytes: Uint8Array): { compare: Compare; canonical: boolean } {
  const c: Compare = {
    result: 0,
    target: 0,
    key: emptyBytes,
    rangeEnd: emptyBytes,
    union: 0,
    number: 0,
    value: emptyBytes,
    lease: 0n,
  };
  const r = new Reader(bytes);
  let unions = 0;
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        c.result = r.int32();
        break;
      case 0x10:
        c.target = r.int32();
        break;
      case 0x1a:
        c.key = r.bytes();
        break;
      case 0x20:
      case 0x28:
      case 0x30:
        setUnion(c, r.tag >>> 3);
        c.number = r.presentInt64();
        unions++;
        break;
      case 0x3a:
        setUnion(c, 7);
        c.value = r.presentBytes();
        unions++;
        break;
      case 0x40:
        setUnion(c, 8);
        c.lease = r.presentBigInt64();
        unions++;
        break;
      case 0x202:
        c.rangeEnd = r.bytes();
        break;
      default:
        r.skip();
    }
  }
  return { compare: c, canonical: r.canonical && unions <= 1 };
}

/** A later member of the union replaces the earlier one. */
function setUnion(c: Compare, field: number): void {
  c.union = field;
  c.number = 0;
  c.value = emptyBytes;
  c.lease = 0n;
}

function decodeRequestOp(bytes: Uint8Array, depth: number): { op: RequestOp; canonical: boolean } {
  const r = new Reader(bytes);
  let member = 0;
  let members = 0;
  let body: Uint8Array = emptyBytes;
  while (r.next()) {
    const { tag } = r;
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a && tag !== 0x22) {
      r.skip();
      continue;
    }
    const part = r.presentBytes();
    // The same member again is merged, which for encodings means appended; another one replaces it.
    body = tag === member ? concat([body, part]) : part;
    member = tag;
    members++;
  }
  const decoded = decodeMember(member, body, depth);
  return { op: decoded.op, canonical: r.canonical && members <= 1 && decoded.canonical };
}

function decodeMember(
  member: number,
  body: Uint8Array,
  depth: number,
): { op: RequestOp; canonical: boolean } {
  switch (member) {
    case 0x0a: {
      const range = decodeRangeRequest(body);
      return { op: { kind: "range", range }, canonical: range.canonical };
    }
    case 0x12: {
      const put = decodePutRequest(body);
      return { op: { kind: "put", put }, canonical: put.canonical };
    }
    case 0x1a: {
      const deleteRange = decodeDeleteRangeRequest(body);
      return { op: { kind: "deleteRange", deleteRange }, canonical: deleteRange.canonical };
    }
    case 0x22: {
      const txn = decodeTxn(body, depth + 1);
      return { op: { kind: "txn", txn }, canonical: txn.canonical };
    }
    default:
      return { op: { kind: "none" }, canonical: true };
  }
}

export function encodeTxnRequest(out: Writer, txn: TxnRequest): void {
  for (const c of txn.compare) {
    const mark = out.beginNested(0x0a);
    encodeCompare(out, c);
    out.endNested(mark);
  }
  encodeOps(out, 0x12, txn.success);
  encodeOps(out, 0x1a, txn.failure);
}

function encodeCompare(out: Writer, c: Compare): void {
  int64Field(out, 0x08, c.result);
  int64Field(out, 0x10, c.target);
  if (c.key.length > 0) out.bytesField(0x1a, c.key);
  if (c.union === 7) {
    out.bytesField(0x3a, c.value);
  } else if (c.union === 8) {
    out.byte(0x40);
    out.bigVarint(c.lease);
  } else if (c.union !== 0) {
    out.byte(c.union << 3);
    out.int64(c.number);
  }
  if (c.rangeEnd.length > 0) out.bytesField(0x202, c.rangeEnd);
}

function encodeOps(out: Writer, tag: number, ops: readonly RequestOp[]): void {
  for (const op of ops) {
    const mark = out.beginNested(tag);
    encodeOp(out, op);
    out.endNested(mark);
  }
}

function encodeOp(out: Writer, op: RequestOp): void {
  if (op.kind === "none") return;
  const mark = out.beginNested(opTag(op.kind));
  switch (op.kind) {
    case "range":
      encodeRangeRequest(out, op.range);
      break;
    case "put":
      encodePutRequest(out, op.put);
      break;
    case "deleteRange":
      encodeDeleteRangeRequest(out, op.deleteRange);
      break;
    case "txn":
      encodeTxnRequest(out, op.txn);
      break;
  }
  out.endNested(mark);
}

function opTag(kind: "range" | "put" | "deleteRange" | "txn"): number {
  switch (kind) {
    case "range":
      return 0x0a;
    case "put":
      return 0x12;
    case "deleteRange":
      return 0x1a;
    case "txn":
      return 0x22;
  }
}

export function decodeCompactionRequest(bytes: Uint8Array): CompactionRequest {
  const request: CompactionRequest = { revision: 0, physical: false, canonical: true };
  const r = new Reader(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        request.revision = r.int64();
        break;
      case 0x10:
        request.physical = r.bool();
        break;
      default:
        r.skip();
    }
  }
  request.canonical = r.canonical;
  return request;
}

export function encodeCompactionRequest(out: Writer, request: CompactionRequest): void {
  int64Field(out, 0x08, request.revision);
  boolField(out, 0x10, request.physical);
}
