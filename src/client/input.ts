/**
 * What callers give, checked and brought into the form of requests. Refused here is only what
 * cannot be said on the wire or contradicts itself; what etcd refuses itself, it refuses with its
 * own error.
 */
import { emptyBytes, utf8 } from "../base/bytes.ts";
import { grpcCode } from "../base/grpc-code.ts";
import { EtcdError } from "./errors.ts";
import type { Bytes, KeyRange } from "./types.ts";

/** The arguments make no request: nothing was sent. */
export class InvalidInputError extends EtcdError {
  constructor(message: string) {
    super(grpcCode.invalidArgument, message);
  }
}

/** Lowest key, and as a range's end: no end. */
const zeroByte = new Uint8Array(1);

export function toBytes(value: Bytes, what: string): Uint8Array {
  if (typeof value === "string") return value === "" ? emptyBytes : utf8(value);
  if (value instanceof Uint8Array) return value;
  throw new InvalidInputError(`${what} must be a string or bytes, not ${nameOf(value)}`);
}

function nameOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/**
 * The first key behind all that begin with `prefix`; one zero byte (no end) when there is none.
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return zeroByte;
  const end = prefix.slice(0, length);
  end[length - 1]!++;
  return end;
}

/** A range as requests say it: without an end it is the one key. */
export interface Interval {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

export function intervalOf(key: Bytes, range: KeyRange = {}): Interval {
  const start = toBytes(key, "key");
  const { prefix, fromKey, rangeEnd } = range;
  if (prefix !== true && fromKey !== true) {
    const end = rangeEnd === undefined ? emptyBytes : toBytes(rangeEnd, "rangeEnd");
    return { key: start, rangeEnd: end };
  }
  if (prefix === true && fromKey === true) exclude("prefix", "fromKey");
  if (rangeEnd !== undefined) exclude(prefix === true ? "prefix" : "fromKey", "rangeEnd");
  if (start.length === 0) return { key: zeroByte, rangeEnd: zeroByte }; // every key
  return { key: start, rangeEnd: prefix === true ? prefixEnd(start) : zeroByte };
}

function exclude(one: string, other: string): never {
  throw new InvalidInputError(`${one} and ${other} exclude each other`);
}

/** A revision, limit, version or count; absent: 0. */
export function toInt(value: number | undefined, what: string): number {
  if (value === undefined) return 0;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidInputError(`${what} must be a whole number within 2^53, not ${String(value)}`);
}

const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;

/** The id of a lease; absent: 0n, none. */
export function toLeaseId(value: bigint | undefined): bigint {
  if (value === undefined) return 0n;
  checkBigInt(value, "lease");
  if (value > int64Max || value < -int64Max - 1n) {
    throw new InvalidInputError(`lease must fit into an int64, not ${value}`);
  }
  return value;
}

/** The id of a member. */
export function toMemberId(value: bigint, what = "member id"): bigint {
  checkBigInt(value, what);
  if (value >= 0n && value <= uint64Max) return value;
  throw new InvalidInputError(`${what} must fit into a uint64, not ${value}`);
}

function checkBigInt(value: bigint, what: string): void {
  if (typeof value === "bigint") return;
  throw new InvalidInputError(`${what} must be a bigint, not ${nameOf(value)}`);
}
