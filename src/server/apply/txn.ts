// TX1  Every compare, nested ones included, is judged on the state before the transaction.
// TX2  The taken path is checked as a whole before its first write: a transaction fails without
//      effect or runs to its end.
// TX3  The verdict and the writes depend on replicated state only; `out` only decides whether the
//      answer is also written down.

import { assert } from "../../base/assert.ts";
import { compare } from "../../base/bytes.ts";
import {
  errCompacted,
  errFutureRev,
  errKeyNotFound,
  errLeaseNotFound,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import { decodeKeyValue } from "../../codec/kv.ts";
import type {
  Compare,
  DeleteRangeRequest,
  KeyValue,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../codec/messages.ts";
import type { Writer } from "../../codec/writer.ts";
import type { WriteTxn } from "../mvcc/types.ts";
import { writeDeletedBody, writePrevKv, writeRangeBody, writeRevisionHeader } from "./body.ts";

/** What a transaction needs besides the store's write transaction. */
export interface TxnState {
  readonly currentRevision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  leaseExists(lease: bigint): boolean;
}

/** The state as it is at each look. */
export function createTxnState(
  store: { readonly currentRevision: number; readonly compactRevision: number },
  leases: { exists(lease: bigint): boolean },
): TxnState {
  return {
    get currentRevision() {
      return store.currentRevision;
    },
    get compactRevision() {
      return store.compactRevision;
    },
    leaseExists: (lease) => leases.exists(lease),
  };
}

// ResponseOp members and their places, as one-byte tags.
const tagSucceeded = 0x10;
const tagResponses = 0x1a;
const tagResponseRange = 0x0a;
const tagResponsePut = 0x12;
const tagResponseDeleteRange = 0x1a;
const tagResponseTxn = 0x22;
const tagHeader = 0x0a;

/**
 * Runs `request` in `txn` and writes the TxnResponse without its header to `out` (null: nobody
 * waits for the answer, so pure reads are skipped). Returns the error of TX2, with nothing written.
 */
export function runTxn(
  txn: WriteTxn,
  request: TxnRequest,
  state: TxnState,
  out: Writer | null,
): EtcdError | null {
  const path = sharedPath;
  path.clear();
  choosePath(txn, request, path); // TX1
  const error = checkPath(txn, request, state, path); // TX2
  if (error !== null) return error;
  path.rewind();
  execute(txn, request, path, out);
  return null;
}

/** True if the transaction holds plain ranges only: such a one is never proposed. */
export function isReadOnly(request: TxnRequest): boolean {
  return request.success.every(isRange) && request.failure.every(isRange);
}

/** True if a read-only transaction may be answered from local state. */
export function isSerializable(request: TxnRequest): boolean {
  const local = (op: RequestOp): boolean => op.kind === "range" && op.range.serializable;
  return request.success.every(local) && request.failure.every(local);
}

function isRange(op: RequestOp): boolean {
  return op.kind === "range";
}

/** The verdicts of a transaction and of the nested ones on its path, in the order of execution. */
class Path {
  readonly #verdicts: boolean[] = [];
  #count = 0;
  #next = 0;

  clear(): void {
    this.#count = 0;
    this.#next = 0;
  }

  add(succeeded: boolean): void {
    this.#verdicts[this.#count++] = succeeded;
  }

  rewind(): void {
    this.#next = 0;
  }

  succeeded(): boolean {
    assert(this.#next < this.#count, "transaction path ended early");
    return this.#verdicts[this.#next++]!;
  }
}

/** One transaction runs at a time. */
const sharedPath = new Path();

function choosePath(txn: WriteTxn, request: TxnRequest, path: Path): void {
  const succeeded = allHold(txn, request.compare);
  path.add(succeeded);
  for (const op of succeeded ? request.success : request.failure) {
    if (op.kind === "txn") choosePath(txn, op.txn, path);
  }
}

function allHold(txn: WriteTxn, compares: readonly Compare[]): boolean {
  for (const c of compares) if (!holds(txn, c)) return false;
  return true;
}

function holds(txn: WriteTxn, c: Compare): boolean {
  if (c.rangeEnd.length > 0) return holdsForRange(txn, c);
  if (c.target === 0 || c.target === 1 || c.target === 2) {
    const meta = txn.meta(c.key);
    if (meta === null) return judge(c.result, 0 - numberOf(c));
    const { version, createRevision, modRevision } = meta;
    const found = c.target === 0 ? version : c.target === 1 ? createRevision : modRevision;
    return judge(c.result, found - numberOf(c));
  }
  const bytes = txn.keyValue(c.key);
  if (bytes === null) return holdsForMissing(c);
  return holdsFor(c, decodeKeyValue(bytes));
}

/** Every key of the interval must hold; an empty interval is judged as a missing key. */
function holdsForRange(txn: WriteTxn, c: Compare): boolean {
  let any = false;
  let all = true;
  txn.forEach(c.key, c.rangeEnd, (bytes) => {
    any = true;
    all = holdsFor(c, decodeKeyValue(bytes));
    return all;
  });
  return any ? all : holdsForMissing(c);
}

function holdsForMissing(c: Compare): boolean {
  if (c.target === 3) return false; // a missing value equals nothing, not even the empty value
  if (c.target === 4) return judge(c.result, sign(0n, leaseOf(c)));
  return c.target <= 2 && c.target >= 0 ? judge(c.result, 0 - numberOf(c)) : judge(c.result, 0);
}

function holdsFor(c: Compare, kv: KeyValue): boolean {
  switch (c.target) {
    case 0:
      return judge(c.result, kv.version - numberOf(c));
    case 1:
      return judge(c.result, kv.createRevision - numberOf(c));
    case 2:
      return judge(c.result, kv.modRevision - numberOf(c));
    case 3:
      return judge(c.result, compare(kv.value, c.union === 7 ? c.value : noBytes));
    case 4:
      return judge(c.result, sign(kv.lease, leaseOf(c)));
    default:
      return judge(c.result, 0); // an unknown target compares equal
  }
}

const noBytes = new Uint8Array(0);

/** The operand, which counts as 0 unless it is the one that the target names. */
function numberOf(c: Compare): number {
  return c.union === c.target + 4 ? c.number : 0;
}

function leaseOf(c: Compare): bigint {
  return c.union === 8 ? c.lease : 0n;
}

function sign(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function judge(result: number, difference: number): boolean {
  switch (result) {
    case 0:
      return difference === 0;
    case 1:
      return difference > 0;
    case 2:
      return difference < 0;
    case 3:
      return difference !== 0;
    default:
      return true; // etcd: an unknown operator holds
  }
}

function checkPath(
  txn: WriteTxn,
  request: TxnRequest,
  state: TxnState,
  path: Path,
): EtcdError | null {
  for (const op of path.succeeded() ? request.success : request.failure) {
    let error: EtcdError | null = null;
    if (op.kind === "range") error = checkRevision(op.range, state);
    else if (op.kind === "put") error = checkPutState(txn, op.put, state);
    else if (op.kind === "txn") error = checkPath(txn, op.txn, state, path);
    if (error !== null) return error;
  }
  return null;
}

/** Unlike a plain Range, a negative revision is judged here and not read as "latest". */
function checkRevision(range: RangeRequest, state: TxnState): EtcdError | null {
  if (range.revision === 0) return null;
  if (range.revision > state.currentRevision) return errFutureRev;
  return range.revision < state.compactRevision ? errCompacted : null;
}

/** The rules of a put that depend on state: its lease exists; the value or lease to keep exists. */
export function checkPutState(txn: WriteTxn, put: PutRequest, state: TxnState): EtcdError | null {
  if (put.lease !== 0n && !state.leaseExists(put.lease)) return errLeaseNotFound;
  if ((put.ignoreValue || put.ignoreLease) && txn.meta(put.key) === null) return errKeyNotFound;
  return null;
}

function execute(txn: WriteTxn, request: TxnRequest, path: Path, out: Writer | null): void {
  const succeeded = path.succeeded();
  if (succeeded && out !== null) {
    out.byte(tagSucceeded);
    out.byte(1);
  }
  for (const op of succeeded ? request.success : request.failure) {
    const mark = out?.beginNested(tagResponses) ?? 0;
    executeOp(txn, op, path, out);
    out?.endNested(mark);
  }
}

function executeOp(txn: WriteTxn, op: RequestOp, path: Path, out: Writer | null): void {
  if (op.kind === "none") return;
  if (op.kind === "range") {
    if (out !== null) runRange(txn, op.range, out); // TX3
    return;
  }
  const mark = out?.beginNested(tagOfAnswer(op.kind)) ?? 0;
  if (op.kind === "put") {
    runPut(txn, op.put, out, true);
  } else if (op.kind === "deleteRange") {
    runDeleteRange(txn, op.deleteRange, out, true);
  } else {
    out?.bytesField(tagHeader, noBytes); // a nested answer's header is present and empty
    execute(txn, op.txn, path, out);
  }
  out?.endNested(mark);
}

function tagOfAnswer(kind: "put" | "deleteRange" | "txn"): number {
  if (kind === "put") return tagResponsePut;
  return kind === "deleteRange" ? tagResponseDeleteRange : tagResponseTxn;
}

function runRange(txn: WriteTxn, request: RangeRequest, out: Writer): void {
  const mark = out.beginNested(tagResponseRange);
  writeRevisionHeader(out, txn.revision);
  writeRangeBody(out, txn.range(request));
  out.endNested(mark);
}

/** Puts, and writes the PutResponse's body (with a revision-only header if nested). */
export function runPut(txn: WriteTxn, put: PutRequest, out: Writer | null, nested: boolean): void {
  const needsPrevious = put.ignoreValue || put.ignoreLease || (put.prevKv && out !== null);
  const previous = needsPrevious ? txn.keyValue(put.key) : null;
  let { value, lease } = put;
  if (put.ignoreValue || put.ignoreLease) {
    assert(previous !== null, "put keeps the value or lease of a missing key");
    const kept = decodeKeyValue(previous);
    if (put.ignoreValue) value = kept.value;
    if (put.ignoreLease) lease = kept.lease;
  }
  txn.put(put.key, value, lease);
  if (out === null) return;
  if (nested) writeRevisionHeader(out, txn.revision);
  if (put.prevKv && previous !== null) writePrevKv(out, previous);
}

/** Deletes, and writes the DeleteRangeResponse's body (with a revision-only header if nested). */
export function runDeleteRange(
  txn: WriteTxn,
  request: DeleteRangeRequest,
  out: Writer | null,
  nested: boolean,
): void {
  const previous: Uint8Array[] = [];
  if (request.prevKv && out !== null) {
    txn.forEach(request.key, request.rangeEnd, (kv) => {
      previous.push(kv);
      return true;
    });
  }
  const deleted = txn.deleteRange(request.key, request.rangeEnd);
  if (out === null) return;
  if (nested) writeRevisionHeader(out, txn.revision);
  writeDeletedBody(out, deleted, previous);
}
