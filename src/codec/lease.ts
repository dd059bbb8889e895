/** Requests of the Lease service and its raft entries. */

import { bigField, boolField, int64Field } from "./kv.ts";
import type { LeaseGrantRequest, LeaseIdRequest, LeaseTimeToLiveRequest } from "./messages.ts";
import { Reader, sharedReader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export function decodeLeaseGrantRequest(bytes: Uint8Array): LeaseGrantRequest {
  const request: LeaseGrantRequest = { ttl: 0, id: 0n, canonical: true };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        request.ttl = r.int64();
        break;
      case 0x10:
        request.id = r.bigInt64();
        break;
      default:
        r.skip();
    }
  }
  request.canonical = r.canonical;
  return request;
}

export function encodeLeaseGrantRequest(out: Writer, request: LeaseGrantRequest): void {
  int64Field(out, 0x08, request.ttl);
  bigField(out, 0x10, request.id);
}

/** LeaseKeepAliveRequest: its id. */
export function decodeLeaseId(bytes: Uint8Array): bigint {
  let id = 0n;
  const r = sharedReader.open(bytes);
  while (r.next()) {
    if (r.tag === 0x08) id = r.bigInt64();
    else r.skip();
  }
  return id;
}

/** LeaseRevokeRequest: an id alone. */
export function decodeLeaseIdRequest(bytes: Uint8Array): LeaseIdRequest {
  const request: LeaseIdRequest = { id: 0n, canonical: true };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    if (r.tag === 0x08) request.id = r.bigInt64();
    else r.skip();
  }
  request.canonical = r.canonical;
  return request;
}

export function encodeLeaseIdRequest(out: Writer, id: bigint): void {
  bigField(out, 0x08, id);
}

export function decodeLeaseTimeToLiveRequest(bytes: Uint8Array): LeaseTimeToLiveRequest {
  const request: LeaseTimeToLiveRequest = { id: 0n, keys: false };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    if (r.tag === 0x08) request.id = r.bigInt64();
    else if (r.tag === 0x10) request.keys = r.bool();
    else r.skip();
  }
  return request;
}

export function encodeLeaseTimeToLiveRequest(out: Writer, request: LeaseTimeToLiveRequest): void {
  bigField(out, 0x08, request.id);
  boolField(out, 0x10, request.keys);
}

export interface LeaseCheckpoint {
  id: bigint;
  remainingTtl: number;
}

export function decodeLeaseCheckpointRequest(bytes: Uint8Array): LeaseCheckpoint[] {
  const checkpoints: LeaseCheckpoint[] = [];
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x0a) checkpoints.push(decodeCheckpoint(r.presentBytes()));
    else r.skip();
  }
  return checkpoints;
}

function decodeCheckpoint(bytes: Uint8Array): LeaseCheckpoint {
  const checkpoint: LeaseCheckpoint = { id: 0n, remainingTtl: 0 };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    if (r.tag === 0x08) checkpoint.id = r.bigInt64();
    else if (r.tag === 0x10) checkpoint.remainingTtl = r.int64();
    else r.skip();
  }
  return checkpoint;
}

export function encodeLeaseCheckpointRequest(
  out: Writer,
  checkpoints: readonly LeaseCheckpoint[],
): void {
  for (const { id, remainingTtl } of checkpoints) {
    const mark = out.beginNested(0x0a);
    bigField(out, 0x08, id);
    int64Field(out, 0x10, remainingTtl);
    out.endNested(mark);
  }
}

/** LeaseKeepAliveResponse and LeaseTimeToLiveResponse as members send them to each other. */
export interface LeaseAnswer {
  id: bigint;
  ttl: number;
  grantedTtl: number;
  keys: Uint8Array[];
}

/** Writes everything behind the header. */
export function encodeLeaseAnswer(out: Writer, answer: LeaseAnswer): void {
  bigField(out, 0x10, answer.id);
  int64Field(out, 0x18, answer.ttl);
  int64Field(out, 0x20, answer.grantedTtl);
  for (const key of answer.keys) out.bytesField(0x2a, key);
}

export function decodeLeaseAnswer(bytes: Uint8Array): LeaseAnswer {
  const answer: LeaseAnswer = { id: 0n, ttl: 0, grantedTtl: 0, keys: [] };
  const r = new Reader(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x10:
        answer.id = r.bigInt64();
        break;
      case 0x18:
        answer.ttl = r.int64();
        break;
      case 0x20:
        answer.grantedTtl = r.int64();
        break;
      case 0x2a:
        answer.keys.push(r.presentBytes().slice());
        break;
      default:
        r.skip();
    }
  }
  return answer;
}

const tagInternal = 0x0a;

/** leasepb.LeaseInternalRequest and LeaseInternalResponse: one message inside another. */
export function decodeLeaseInternal(bytes: Uint8Array): Uint8Array | null {
  let inner: Uint8Array | null = null;
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === tagInternal) inner = r.presentBytes();
    else r.skip();
  }
  return inner;
}

export function encodeLeaseInternal(out: Writer, inner: Uint8Array): void {
  out.bytesField(tagInternal, inner);
}
