/** Answers of the KV service but Txn's. Lists of keys can be large: nothing is copied. */
import { Reader } from "../reader.ts";
import { emptyHeader, readHeader } from "./header.ts";
import { readKeyValue, type DecodedKeyValue } from "./key-value.ts";
import type { DeleteResult, GetResult, Header, KeyValue, PutResult } from "./results.ts";

// RangeResponse.kvs and DeleteRangeResponse.prev_kvs may repeat.
export const rangeRepeated = 1 << 2;
export const deleteRepeated = 1 << 3;

export function decodeGetResult(bytes: Uint8Array): GetResult {
  return readGetResult(new Reader(bytes, rangeRepeated));
}

export function readGetResult(r: Reader): GetResult {
  let header = emptyHeader;
  const kvs: DecodedKeyValue[] = [];
  let more = false;
  let count = 0;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x12:
        kvs.push(readKeyValue(r.nested()));
        break;
      case 0x18:
        more = r.bool();
        break;
      case 0x20:
        count = r.int64();
        break;
      default:
        r.skip();
    }
  }
  return { kind: "get", header, kvs, more, count };
}

/** RangeStreamResponse: a RangeResponse in an envelope. */
export function decodeRangeStreamResult(bytes: Uint8Array): GetResult {
  const r = new Reader(bytes);
  let result: GetResult = { kind: "get", header: emptyHeader, kvs: [], more: false, count: 0 };
  while (r.next()) {
    if (r.tag === 0x0a) result = readGetResult(r.nested(rangeRepeated));
    else r.skip();
  }
  return result;
}

export function decodePutResult(bytes: Uint8Array): PutResult {
  return readPutResult(new Reader(bytes));
}

export function readPutResult(r: Reader): PutResult {
  let header = emptyHeader;
  let prevKv: KeyValue | null = null;
  while (r.next()) {
    if (r.tag === 0x0a) header = readHeader(r.nested());
    else if (r.tag === 0x12) prevKv = readKeyValue(r.nested());
    else r.skip();
  }
  return { kind: "put", header, prevKv };
}

export function decodeDeleteResult(bytes: Uint8Array): DeleteResult {
  return readDeleteResult(new Reader(bytes, deleteRepeated));
}

export function readDeleteResult(r: Reader): DeleteResult {
  let header = emptyHeader;
  let deleted = 0;
  const prevKvs: KeyValue[] = [];
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x10:
        deleted = r.int64();
        break;
      case 0x1a:
        prevKvs.push(readKeyValue(r.nested()));
        break;
      default:
        r.skip();
    }
  }
  return { kind: "delete", header, deleted, prevKvs };
}

/** An answer that is a header and nothing else. */
export interface HeaderResult {
  readonly header: Header;
}

export function decodeHeaderResult(bytes: Uint8Array): HeaderResult {
  const r = new Reader(bytes);
  let header = emptyHeader;
  while (r.next()) {
    if (r.tag === 0x0a) header = readHeader(r.nested());
    else r.skip();
  }
  return { header };
}
