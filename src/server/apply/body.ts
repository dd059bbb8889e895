/**
 * The parts of answers that applying produces: everything behind the header. The header is added by
 * the RPC layer of the member that answers.
 */

import type { Writer } from "../../codec/writer.ts";
import type { RangeResult } from "../mvcc/types.ts";

const tagHeader = 0x0a;
const tagHeaderRevision = 0x18;
const tagPrevKv = 0x12; // PutResponse.prev_kv
const tagDeleted = 0x10; // DeleteRangeResponse.deleted
const tagPrevKvs = 0x1a; // DeleteRangeResponse.prev_kvs
const tagMore = 0x18; // RangeResponse.more
const tagCount = 0x20; // RangeResponse.count

/** Headers inside a transaction carry the revision alone. */
export function writeRevisionHeader(out: Writer, revision: number): void {
  const mark = out.beginNested(tagHeader);
  out.byte(tagHeaderRevision);
  out.varint(revision);
  out.endNested(mark);
}

/** RangeResponse behind its header: the key-values as they are stored, more, count. */
export function writeRangeBody(out: Writer, result: RangeResult): void {
  for (const chunk of result.chunks) out.raw(chunk);
  writeRangeTail(out, result.more, result.count);
}

export function writeRangeTail(out: Writer, more: boolean, count: number): void {
  if (more) {
    out.byte(tagMore);
    out.byte(1);
  }
  if (count !== 0) {
    out.byte(tagCount);
    out.varint(count);
  }
}

export function writePrevKv(out: Writer, kv: Uint8Array): void {
  out.bytesField(tagPrevKv, kv);
}

export function writeDeletedBody(
  out: Writer,
  deleted: number,
  previous: readonly Uint8Array[],
): void {
  if (deleted !== 0) {
    out.byte(tagDeleted);
    out.varint(deleted);
  }
  for (const kv of previous) out.bytesField(tagPrevKvs, kv);
}
