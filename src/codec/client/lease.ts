/** The Lease service as a client speaks it: requests are written, responses read. */
import { Reader } from "../reader.ts";
import { Writer } from "../writer.ts";
import { emptyHeader, readHeader } from "./header.ts";
import type { Header } from "./results.ts";

/** Answer to a grant or a renewal. */
export interface LeaseGrant {
  readonly header: Header;
  readonly id: bigint;
  /** Of a renewal: 0 when the lease is gone. */
  readonly ttlSeconds: number;
}

export interface LeaseTimeToLive {
  readonly header: Header;
  readonly id: bigint;
  /** Seconds left. -1: expired or never there. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** In no order. */
  readonly keys: readonly Uint8Array[];
}

export interface LeaseList {
  readonly header: Header;
  readonly leases: readonly bigint[];
}

const out = new Writer(64);
const keysRepeated = 1 << 5;
const leasesRepeated = 1 << 2;

export function encodeLeaseGrant(request: { ttlSeconds: number; id: bigint }): Uint8Array {
  out.reset();
  if (request.ttlSeconds !== 0) {
    out.byte(0x08);
    out.int64(request.ttlSeconds);
  }
  writeId(0x10, request.id);
  return out.copy();
}

/** LeaseRevokeRequest and LeaseKeepAliveRequest: an id alone. */
export function encodeLeaseId(id: bigint): Uint8Array {
  out.reset();
  writeId(0x08, id);
  return out.copy();
}

export function encodeLeaseTimeToLive(request: { id: bigint; keys: boolean }): Uint8Array {
  out.reset();
  writeId(0x08, request.id);
  if (request.keys) {
    out.byte(0x10);
    out.byte(1);
  }
  return out.copy();
}

function writeId(tag: number, id: bigint): void {
  if (id === 0n) return;
  out.byte(tag);
  out.bigVarint(id);
}

/** LeaseGrantResponse and LeaseKeepAliveResponse. */
export function decodeLeaseGrant(bytes: Uint8Array): LeaseGrant {
  const r = new Reader(bytes);
  let header = emptyHeader;
  let id = 0n;
  let ttlSeconds = 0;
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x10:
        id = r.bigInt64();
        break;
      case 0x18:
        ttlSeconds = r.int64();
        break;
      default:
        r.skip();
    }
  }
  return { header, id, ttlSeconds };
}

export function decodeLeaseTimeToLive(bytes: Uint8Array): LeaseTimeToLive {
  const r = new Reader(bytes, keysRepeated);
  let header = emptyHeader;
  let id = 0n;
  let ttlSeconds = 0;
  let grantedTtlSeconds = 0;
  const keys: Uint8Array[] = [];
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x10:
        id = r.bigInt64();
        break;
      case 0x18:
        ttlSeconds = r.int64();
        break;
      case 0x20:
        grantedTtlSeconds = r.int64();
        break;
      case 0x2a:
        keys.push(r.presentBytes());
        break;
      default:
        r.skip();
    }
  }
  return { header, id, ttlSeconds, grantedTtlSeconds, keys };
}

export function decodeLeaseList(bytes: Uint8Array): LeaseList {
  const r = new Reader(bytes, leasesRepeated);
  let header = emptyHeader;
  const leases: bigint[] = [];
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x12:
        leases.push(readLeaseStatus(r.nested()));
        break;
      default:
        r.skip();
    }
  }
  return { header, leases };
}

function readLeaseStatus(r: Reader): bigint {
  let id = 0n;
  while (r.next()) {
    if (r.tag === 0x08) id = r.bigInt64();
    else r.skip();
  }
  return id;
}
