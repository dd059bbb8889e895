/** TxnRequest, nested to any depth, and CompactionRequest. */

import { emptyBytes } from "../base/bytes.ts";
import {
  boolField,
  emptyDeleteRange,
  emptyPut,
  emptyRange,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  int64Field,
  mergeDeleteRangeRequest,
  mergePutRequest,
  mergeRangeRequest,
} from "./kv.ts";
import type { CompactionRequest, Compare, RequestOp, TxnRequest } from "./messages.ts";
import { DecodeError, nestingMax, sharedReader, type Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

// Compare, success and failure may repeat.
const txnRepeated = (1 << 1) | (1 << 2) | (1 << 3);

/** @throws DecodeError also for a nesting deeper than `nestingMax`. */
export function decodeTxnRequest(bytes: Uint8Array): TxnRequest {
  const txn = emptyTxn();
  mergeTxn(txn, sharedReader.open(bytes, txnRepeated), 0);
  return txn;
}

function emptyTxn(): TxnRequest {
  return { compare: [], success: [], failure: [], canonical: true };
}

function mergeTxn(txn: TxnRequest, r: Reader, depth: number): void {
  if (depth > nestingMax) throw new DecodeError("proto: exceeded maximum recursion depth");
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        readCompare(txn, r.nested());
        break;
      case 0x12:
        txn.success = withOp(txn.success, readRequestOp(txn, r.nested(), depth));
        break;
      case 0x1a:
        txn.failure = withOp(txn.failure, readRequestOp(txn, r.nested(), depth));
        break;
      default:
        r.skip();
    }
  }
  if (!r.canonical) txn.canonical = false;
}

function readCompare(txn: TxnRequest, r: Reader): void {
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
  if (txn.compare.length === 0) txn.compare = [c];
  else txn.compare.push(c);
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
  if (!r.canonical || unions > 1) txn.canonical = false;
}

/** A later member of the union replaces the earlier one. */
function setUnion(c: Compare, field: number): void {
  c.union = field;
  c.number = 0;
  c.value = emptyBytes;
  c.lease = 0n;
}

/** Most lists have one operation; an empty list that grows would reserve space for many. */
function withOp(ops: RequestOp[], op: RequestOp): RequestOp[] {
  if (ops.length === 0) return [op];
  ops.push(op);
  return ops;
}

function readRequestOp(txn: TxnRequest, r: Reader, depth: number): RequestOp {
  let op: RequestOp = emptyOp;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
      case 0x12:
      case 0x1a:
      case 0x22:
        if (op.kind !== "none") txn.canonical = false;
        op = mergeMember(op, r, depth);
        break;
      default:
        r.skip();
    }
  }
  if (!r.canonical || !isCanonical(op)) txn.canonical = false;
  return op;
}

const emptyOp: RequestOp = { kind: "none" };

/** The member that is set already is merged into; another one is replaced. */
function mergeMember(op: RequestOp, r: Reader, depth: number): RequestOp {
  switch (r.tag) {
    case 0x0a: {
      const range = op.kind === "range" ? op.range : emptyRange();
      mergeRangeRequest(range, r.nested());
      return { kind: "range", range };
    }
    case 0x12: {
      const put = op.kind === "put" ? op.put : emptyPut();
      mergePutRequest(put, r.nested());
      return { kind: "put", put };
    }
    case 0x1a: {
      const deleteRange = op.kind === "deleteRange" ? op.deleteRange : emptyDeleteRange();
      mergeDeleteRangeRequest(deleteRange, r.nested());
      return { kind: "deleteRange", deleteRange };
    }
    default: {
      const txn = op.kind === "txn" ? op.txn : emptyTxn();
      mergeTxn(txn, r.nested(txnRepeated), depth + 1);
      return { kind: "txn", txn };
    }
  }
}

function isCanonical(op: RequestOp): boolean {
  switch (op.kind) {
    case "none":
      return true;
    case "range":
      return op.range.canonical;
    case "put":
      return op.put.canonical;
    case "deleteRange":
      return op.deleteRange.canonical;
    case "txn":
      return op.txn.canonical;
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

/** By field number. Go writes the union behind `range_end`; readers take any order. */
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
  const r = sharedReader.open(bytes);
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
