/**
 * The `lease` bucket: key = id as 8 bytes big endian, value = leasepb.Lease{1 ID, 2 TTL, 3
 * RemainingTTL}.
 */
import { bigField, int64Field } from "../../codec/kv.ts";
import { DecodeError, Reader } from "../../codec/reader.ts";
import { Writer } from "../../codec/writer.ts";

const scratch = new Writer(64);

export function leaseRowKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigInt64(0, id);
  return key;
}

export function encodeLeaseRow(id: bigint, ttl: number, remainingTtl: number): Uint8Array {
  scratch.reset();
  bigField(scratch, 0x08, id);
  int64Field(scratch, 0x10, ttl);
  int64Field(scratch, 0x18, remainingTtl);
  return scratch.copy();
}

export interface LeaseRow {
  id: bigint;
  ttl: number;
  remainingTtl: number;
}

/** Reads a row; null when it is damaged. Unknown fields are skipped. */
export function decodeLeaseRow(bytes: Uint8Array): LeaseRow | null {
  const row: LeaseRow = { id: 0n, ttl: 0, remainingTtl: 0 };
  const r = new Reader(bytes);
  try {
    while (r.next()) {
      if (r.tag === 0x08) row.id = r.bigInt64();
      else if (r.tag === 0x10) row.ttl = r.int64();
      else if (r.tag === 0x18) row.remainingTtl = r.int64();
      else r.skip();
    }
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
  return row;
}
