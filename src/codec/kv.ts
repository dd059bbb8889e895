/** mvccpb.KeyValue and the requests of the KV service (wire.md 2 and 3). */

import { emptyBytes } from "../base/bytes.ts";
import type { DeleteRangeRequest, KeyValue, PutRequest, RangeRequest } from "./messages.ts";
import { sharedReader, type Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  const kv: KeyValue = {
    key: emptyBytes,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    value: emptyBytes,
    lease: 0n,
  };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        kv.key = r.bytes();
        break;
      case 0x10:
        kv.createRevision = r.int64();
        break;
      case 0x18:
        kv.modRevision = r.int64();
        break;
      case 0x20:
        kv.version = r.int64();
        break;
      case 0x2a:
        kv.value = r.bytes();
        break;
      case 0x30:
        kv.lease = r.bigInt64();
        break;
      default:
        r.skip();
    }
  }
  return kv;
}

export function encodeKeyValue(out: Writer, kv: KeyValue): void {
  if (kv.key.length > 0) out.bytesField(0x0a, kv.key);
  int64Field(out, 0x10, kv.createRevision);
  int64Field(out, 0x18, kv.modRevision);
  int64Field(out, 0x20, kv.version);
  if (kv.value.length > 0) out.bytesField(0x2a, kv.value);
  bigField(out, 0x30, kv.lease);
}

export function emptyPut(): PutRequest {
  return {
    key: emptyBytes,
    value: emptyBytes,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    canonical: true,
  };
}

export function decodePutRequest(bytes: Uint8Array): PutRequest {
  const put = emptyPut();
  mergePutRequest(put, sharedReader.open(bytes));
  return put;
}

/** Reads more of the same message on top of `put`, as protobuf merges split messages. */
export function mergePutRequest(put: PutRequest, r: Reader): void {
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        put.key = r.bytes();
        break;
      case 0x12:
        put.value = r.bytes();
        break;
      case 0x18:
        put.lease = r.bigInt64();
        break;
      case 0x20:
        put.prevKv = r.bool();
        break;
      case 0x28:
        put.ignoreValue = r.bool();
        break;
      case 0x30:
        put.ignoreLease = r.bool();
        break;
      default:
        r.skip();
    }
  }
  if (!r.canonical) put.canonical = false;
}

export function encodePutRequest(out: Writer, put: PutRequest): void {
  if (put.key.length > 0) out.bytesField(0x0a, put.key);
  if (put.value.length > 0) out.bytesField(0x12, put.value);
  bigField(out, 0x18, put.lease);
  boolField(out, 0x20, put.prevKv);
  boolField(out, 0x28, put.ignoreValue);
  boolField(out, 0x30, put.ignoreLease);
}

export function decodeRangeRequest(bytes: Uint8Array): RangeRequest {
  const range = emptyRange();
  mergeRangeRequest(range, sharedReader.open(bytes));
  return range;
}

/** Reads more of the same message on top of `range`, as protobuf merges split messages. */
export function mergeRangeRequest(range: RangeRequest, r: Reader): void {
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        range.key = r.bytes();
        break;
      case 0x12:
        range.rangeEnd = r.bytes();
        break;
      case 0x18:
        range.limit = r.int64();
        break;
      case 0x20:
        range.revision = r.int64();
        break;
      default:
        readRangeOption(r, range);
    }
  }
  if (!r.canonical) range.canonical = false;
}

export function emptyRange(): RangeRequest {
  return {
    key: emptyBytes,
    rangeEnd: emptyBytes,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    canonical: true,
  };
}

function readRangeOption(r: Reader, range: RangeRequest): void {
  switch (r.tag) {
    case 0x28:
      range.sortOrder = r.int32();
      return;
    case 0x30:
      range.sortTarget = r.int32();
      return;
    case 0x38:
      range.serializable = r.bool();
      return;
    case 0x40:
      range.keysOnly = r.bool();
      return;
    case 0x48:
      range.countOnly = r.bool();
      return;
    case 0x50:
      range.minModRevision = r.int64();
      return;
    case 0x58:
      range.maxModRevision = r.int64();
      return;
    case 0x60:
      range.minCreateRevision = r.int64();
      return;
    case 0x68:
      range.maxCreateRevision = r.int64();
      return;
    default:
      r.skip();
  }
}

export function encodeRangeRequest(out: Writer, range: RangeRequest): void {
  if (range.key.length > 0) out.bytesField(0x0a, range.key);
  if (range.rangeEnd.length > 0) out.bytesField(0x12, range.rangeEnd);
  int64Field(out, 0x18, range.limit);
  int64Field(out, 0x20, range.revision);
  int64Field(out, 0x28, range.sortOrder);
  int64Field(out, 0x30, range.sortTarget);
  boolField(out, 0x38, range.serializable);
  boolField(out, 0x40, range.keysOnly);
  boolField(out, 0x48, range.countOnly);
  int64Field(out, 0x50, range.minModRevision);
  int64Field(out, 0x58, range.maxModRevision);
  int64Field(out, 0x60, range.minCreateRevision);
  int64Field(out, 0x68, range.maxCreateRevision);
}

export function emptyDeleteRange(): DeleteRangeRequest {
  return { key: emptyBytes, rangeEnd: emptyBytes, prevKv: false, canonical: true };
}

export function decodeDeleteRangeRequest(bytes: Uint8Array): DeleteRangeRequest {
  const request = emptyDeleteRange();
  mergeDeleteRangeRequest(request, sharedReader.open(bytes));
  return request;
}

/** Reads more of the same message on top of `request`, as protobuf merges split messages. */
export function mergeDeleteRangeRequest(request: DeleteRangeRequest, r: Reader): void {
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        request.key = r.bytes();
        break;
      case 0x12:
        request.rangeEnd = r.bytes();
        break;
      case 0x18:
        request.prevKv = r.bool();
        break;
      default:
        r.skip();
    }
  }
  if (!r.canonical) request.canonical = false;
}

export function encodeDeleteRangeRequest(out: Writer, request: DeleteRangeRequest): void {
  if (request.key.length > 0) out.bytesField(0x0a, request.key);
  if (request.rangeEnd.length > 0) out.bytesField(0x12, request.rangeEnd);
  boolField(out, 0x18, request.prevKv);
}

/** A varint field, left out when zero (proto3). */
export function int64Field(out: Writer, tag: number, value: number): void {
  if (value === 0) return;
  out.varint(tag);
  out.int64(value);
}

export function bigField(out: Writer, tag: number, value: bigint): void {
  if (value === 0n) return;
  out.varint(tag);
  out.bigVarint(value);
}

export function boolField(out: Writer, tag: number, value: boolean): void {
  if (!value) return;
  out.varint(tag);
  out.byte(1);
}
