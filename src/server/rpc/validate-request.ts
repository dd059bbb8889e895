/**
 * Shape and bounds of requests, before anything is proposed or normalised (semantics.md 2-6).
 * Every function answers the error to give, or null.
 */

import { compare, fromBinaryString, toBinaryString } from "../../base/bytes.ts";
import {
  errDuplicateKey,
  errEmptyKey,
  errInvalidSortOption,
  errKeyNotFound,
  errLeaseProvided,
  errTooManyOps,
  errValueProvided,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../codec/messages.ts";

const sortOrderMax = 2;
const sortTargetMax = 4;

export function checkRange(request: RangeRequest): EtcdError | null {
  if (request.key.length === 0) return errEmptyKey;
  const { sortOrder, sortTarget } = request;
  if (sortOrder < 0 || sortOrder > sortOrderMax) return errInvalidSortOption;
  if (sortTarget < 0 || sortTarget > sortTargetMax) return errInvalidSortOption;
  return null;
}

export function checkPut(request: PutRequest): EtcdError | null {
  if (request.key.length === 0) return errEmptyKey;
  if (request.ignoreValue && request.value.length > 0) return errValueProvided;
  if (request.ignoreLease && request.lease !== 0n) return errLeaseProvided;
  return null;
}

export function checkDeleteRange(request: DeleteRangeRequest): EtcdError | null {
  return request.key.length === 0 ? errEmptyKey : null;
}

/** `opsMax` is --max-txn-ops; a nested transaction has what its parent's longest list leaves. */
export function checkTxn(request: TxnRequest, opsMax: number): EtcdError | null {
  return (
    checkTxnShape(request, opsMax) ??
    checkConflicts(request.success) ??
    checkConflicts(request.failure)
  );
}

/** One plain operation cannot conflict with itself. */
function checkConflicts(ops: readonly RequestOp[]): EtcdError | null {
  const only = ops[0];
  if (only === undefined || (ops.length === 1 && only.kind !== "txn")) return null;
  return checkIntervals(ops).error;
}

function checkTxnShape(request: TxnRequest, opsMax: number): EtcdError | null {
  const { compare: compares, success, failure } = request;
  const ops = Math.max(compares.length, success.length, failure.length);
  if (ops > opsMax) return errTooManyOps;
  for (const c of compares) if (c.key.length === 0) return errEmptyKey;
  return checkOps(success, opsMax - ops) ?? checkOps(failure, opsMax - ops);
}

function checkOps(ops: readonly RequestOp[], nestedOpsMax: number): EtcdError | null {
  for (const op of ops) {
    const error = checkOp(op, nestedOpsMax);
    if (error !== null) return error;
  }
  return null;
}

function checkOp(op: RequestOp, nestedOpsMax: number): EtcdError | null {
  switch (op.kind) {
    case "range":
      return checkRange(op.range);
    case "put":
      return checkPut(op.put);
    case "deleteRange":
      return checkDeleteRange(op.deleteRange);
    case "txn":
      return checkTxnShape(op.txn, nestedOpsMax);
    case "none":
      return errKeyNotFound; // etcd's answer to an empty operation, kept for compatibility
  }
}

interface Intervals {
  error: EtcdError | null;
  puts: Set<string>;
  deletes: DeleteSet;
}

/** A key may be put once per list, and not where the same list deletes (semantics.md 6). */
function checkIntervals(ops: readonly RequestOp[]): Intervals {
  const result: Intervals = { error: null, puts: new Set(), deletes: new DeleteSet() };
  for (const op of ops) {
    if (op.kind === "deleteRange") result.deletes.add(op.deleteRange.key, op.deleteRange.rangeEnd);
  }
  for (const op of ops) {
    if (op.kind !== "txn" || result.error !== null) continue;
    result.error = mergeNested(op.txn, result);
  }
  for (const op of ops) {
    if (op.kind !== "put" || result.error !== null) continue;
    result.error = claimPut(toBinaryString(op.put.key), op.put.key, result, null);
  }
  return result;
}

/** Only one branch of a nested transaction runs, so its two sides may put the same key. */
function mergeNested(txn: TxnRequest, into: Intervals): EtcdError | null {
  const success = checkIntervals(txn.success);
  if (success.error !== null) return success.error;
  const failure = checkIntervals(txn.failure);
  if (failure.error !== null) return failure.error;
  for (const key of success.puts) {
    const error = claimPut(key, null, into, null);
    if (error !== null) return error;
  }
  for (const key of failure.puts) {
    const error = claimPut(key, null, into, success.puts);
    if (error !== null) return error;
  }
  into.deletes.addAll(success.deletes);
  into.deletes.addAll(failure.deletes);
  return null;
}

function claimPut(
  name: string,
  key: Uint8Array | null,
  into: Intervals,
  otherBranch: Set<string> | null,
): EtcdError | null {
  if (into.puts.has(name) && otherBranch?.has(name) !== true) return errDuplicateKey;
  if (!into.deletes.isEmpty && into.deletes.covers(key ?? fromBinaryString(name)))
    return errDuplicateKey;
  into.puts.add(name);
  return null;
}

/**
 * Deleted intervals [begin, end). A range end of `\0` (open end) is taken literally, as etcd does
 * here: such a delete conflicts with no put. Sorted and merged on first use, so that a hostile
 * request costs n log n.
 */
class DeleteSet {
  #begins: Uint8Array[] = [];
  #ends: Uint8Array[] = [];
  #sorted = true;

  get isEmpty(): boolean {
    return this.#begins.length === 0;
  }

  add(key: Uint8Array, rangeEnd: Uint8Array): void {
    const end = rangeEnd.length > 0 ? rangeEnd : successor(key);
    if (compare(key, end) >= 0) return;
    this.#begins.push(key);
    this.#ends.push(end);
    this.#sorted = false;
  }

  addAll(other: DeleteSet): void {
    if (other.isEmpty) return;
    this.#begins = this.#begins.concat(other.#begins);
    this.#ends = this.#ends.concat(other.#ends);
    this.#sorted = false;
  }

  covers(key: Uint8Array): boolean {
    if (!this.#sorted) this.#sort();
    let low = 0;
    let high = this.#begins.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#begins[middle]!, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low > 0 && compare(key, this.#ends[low - 1]!) < 0;
  }

  #sort(): void {
    const order = this.#begins.map((_, i) => i);
    order.sort((a, b) => compare(this.#begins[a]!, this.#begins[b]!));
    const begins: Uint8Array[] = [];
    const ends: Uint8Array[] = [];
    for (const i of order) {
      const begin = this.#begins[i]!;
      const end = this.#ends[i]!;
      const last = ends.length - 1;
      if (last >= 0 && compare(begin, ends[last]!) <= 0) {
        if (compare(end, ends[last]!) > 0) ends[last] = end;
      } else {
        begins.push(begin);
        ends.push(end);
      }
    }
    this.#begins = begins;
    this.#ends = ends;
    this.#sorted = true;
  }
}

function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
