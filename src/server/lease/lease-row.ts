/**
 * The `lease` bucket: key = id as 8 bytes big endian, value = leasepb.Lease{1 ID, 2 TTL, 3
 * RemainingTTL}.
 */

/** Largest row: three tags and three ten-byte varints. */
const rowBytesMax = 33;
const low7 = 0x7fn;

export function leaseRowKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigInt64(0, id);
  return key;
}

export function encodeLeaseRow(id: bigint, ttl: number, remainingTtl: number): Uint8Array {
  const out = new Uint8Array(rowBytesMax);
  let at = 0;
  const field = (tag: number, value: bigint): void => {
    if (value === 0n) return;
    out[at++] = tag;
    let rest = BigInt.asUintN(64, value);
    while (rest > low7) {
      out[at++] = Number(rest & low7) | 0x80;
      rest >>= 7n;
    }
    out[at++] = Number(rest);
  };
  field(0x08, id);
  field(0x10, BigInt(ttl));
  field(0x18, BigInt(remainingTtl));
  return out.slice(0, at);
}

export interface LeaseRow {
  id: bigint;
  ttl: number;
  remainingTtl: number;
}

/** Reads a row; null when it is damaged. Unknown varint fields are skipped. */
export function decodeLeaseRow(bytes: Uint8Array): LeaseRow | null {
  const row: LeaseRow = { id: 0n, ttl: 0, remainingTtl: 0 };
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    if ((tag & 7) !== 0 || tag >= 0x80) return null;
    let value = 0n;
    let shift = 0n;
    for (;;) {
      if (at >= bytes.length || shift > 63n) return null;
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) break;
    }
    const signed = BigInt.asIntN(64, value);
    if (tag === 0x08) row.id = signed;
    else if (tag === 0x10) row.ttl = Number(signed);
    else if (tag === 0x18) row.remainingTtl = Number(signed);
  }
  return row;
}
