import { toBinaryString } from "../../src/base/bytes.ts";
import type { EtcdError } from "../../src/base/etcd-errors.ts";
import {
  errCompacted,
  errFutureRev,
  errKeyNotFound,
  errLeaseExist,
  errLeaseNotFound,
} from "../../src/base/etcd-errors.ts";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../src/codec/messages.ts";

/**
 * A sequential etcd in plain Maps, written for the eye: every version of every key is kept, reads
 * scan everything. Keys and values are strings of one character per byte, whose order is byte
 * order. Requests are taken as valid: what the server refuses before it proposes is not here.
 */

export interface ModelKv {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

/** One change; a delete has a kv with only key and mod. */
export interface ModelEvent {
  readonly isDelete: boolean;
  readonly revision: number;
  readonly sub: number;
  readonly kv: ModelKv;
}

export interface ModelRange {
  readonly kind: "range";
  readonly kvs: readonly ModelKv[];
  readonly count: number;
  readonly more: boolean;
  readonly revision: number;
}

export interface ModelPut {
  readonly kind: "put";
  readonly revision: number;
  readonly prevKv: ModelKv | null;
}

export interface ModelDelete {
  readonly kind: "deleteRange";
  readonly revision: number;
  readonly deleted: number;
  readonly prevKvs: readonly ModelKv[];
}

export interface ModelTxn {
  readonly kind: "txn";
  /** 0 in a nested one, whose header is empty. */
  readonly revision: number;
  readonly succeeded: boolean;
  readonly responses: readonly ModelResponse[];
}

export type ModelResponse = ModelRange | ModelPut | ModelDelete | ModelTxn;

const valueTarget = 4;

export class EtcdModel {
  /** Every change since the beginning, compacted or not, in order. */
  readonly events: ModelEvent[] = [];
  /** Existing leases and the keys attached to each. */
  readonly leases = new Map<bigint, Set<string>>();
  revision = 1;
  compactRevision = -1;
  /** Changes of the transaction at hand; its revision is `revision + 1` once there is one. */
  #subs = 0;

  range(request: RangeRequest): ModelRange | EtcdError {
    return this.#checkRevision(request.revision) ?? this.#range(request);
  }

  put(request: PutRequest): ModelPut | EtcdError {
    const error = this.#checkPut(request);
    return error ?? this.#commit(() => this.#put(request));
  }

  deleteRange(request: DeleteRangeRequest): ModelDelete {
    return this.#commit(() => this.#deleteRange(request));
  }

  txn(request: TxnRequest): ModelTxn | EtcdError {
    const path = this.#path(request);
    const error = this.#checkTxn(request, [...path]);
    if (error !== null) return error;
    return this.#commit(() => {
      const answer = this.#txn(request, [...path]);
      return { ...answer, revision: this.#writing() };
    });
  }

  compact(revision: number): EtcdError | null {
    if (revision <= this.compactRevision) return errCompacted;
    if (revision > this.revision) return errFutureRev;
    this.compactRevision = revision;
    return null;
  }

  leaseGrant(id: bigint): EtcdError | null {
    if (this.leases.has(id)) return errLeaseExist;
    this.leases.set(id, new Set());
    return null;
  }

  /** Deletes the attached keys in key order in one revision. */
  leaseRevoke(id: bigint): EtcdError | null {
    const keys = this.leases.get(id);
    if (keys === undefined) return errLeaseNotFound;
    this.#commit(() => {
      for (const key of [...keys].sort(byOrder)) this.#delete(key);
    });
    this.leases.delete(id);
    return null;
  }

  leaseOf(key: string): bigint {
    for (const [id, keys] of this.leases) if (keys.has(key)) return id;
    return 0n;
  }

  /** Events a watcher from `revision` sees. */
  history(from: number, to = this.revision): ModelEvent[] | EtcdError {
    if (from < this.compactRevision) return errCompacted;
    return this.events.filter((event) => event.revision >= from && event.revision <= to);
  }

  /** The key before `modRevision`: null if it was absent or that is compacted. */
  prevKv(key: string, modRevision: number): ModelKv | null {
    if (modRevision - 1 < this.compactRevision) return null;
    return this.live(modRevision - 1).get(key) ?? null;
  }

  /** Live keys at a revision, in key order. */
  live(revision: number): Map<string, ModelKv> {
    const live = new Map<string, ModelKv>();
    for (const event of this.events) {
      if (event.revision > revision) break;
      if (event.isDelete) live.delete(event.kv.key);
      else live.set(event.kv.key, event.kv);
    }
    return new Map([...live].sort(([a], [b]) => byOrder(a, b)));
  }

  #commit<T>(run: () => T): T {
    const answer = run();
    if (this.#subs > 0) this.revision++;
    this.#subs = 0;
    return answer;
  }

  /** The revision a header shows within the transaction. */
  #writing(): number {
    return this.#subs > 0 ? this.revision + 1 : this.revision;
  }

  #interval(key: Uint8Array, rangeEnd: Uint8Array, revision = this.#writing()): ModelKv[] {
    const from = toBinaryString(key);
    const end = toBinaryString(rangeEnd);
    const isIn = (k: string): boolean =>
      end === "" ? k === from : k >= from && (end === "\0" || k < end);
    return [...this.live(revision).values()].filter((kv) => isIn(kv.key));
  }

  #checkRevision(revision: number): EtcdError | null {
    if (revision > this.revision) return errFutureRev;
    return revision > 0 && revision < this.compactRevision ? errCompacted : null;
  }

  #range(request: RangeRequest): ModelRange {
    const at = request.revision > 0 ? request.revision : this.#writing();
    const all = this.#interval(request.key, request.rangeEnd, at);
    const answer = { kind: "range" as const, count: all.length, revision: this.#writing() };
    if (request.countOnly) return { ...answer, kvs: [], more: false };
    const kvs = this.#select(all, request);
    const isCut = request.limit > 0 && kvs.length > request.limit;
    return {
      ...answer,
      kvs: (isCut ? kvs.slice(0, request.limit) : kvs).map((kv) => blank(kv, request)),
      more: isCut,
    };
  }

  /** Filters and sorts; order "none" on another target first takes the first limit + 1 keys. */
  #select(all: readonly ModelKv[], request: RangeRequest): ModelKv[] {
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
    const hasFilter =
      (minModRevision | maxModRevision | minCreateRevision | maxCreateRevision) !== 0;
    const isCutFirst = request.sortOrder === 0 && !hasFilter && request.limit > 0;
    const kvs = (isCutFirst ? all.slice(0, request.limit + 1) : all).filter(
      (kv) =>
        (maxModRevision === 0 || kv.mod <= maxModRevision) &&
        (minModRevision === 0 || kv.mod >= minModRevision) &&
        (maxCreateRevision === 0 || kv.create <= maxCreateRevision) &&
        (minCreateRevision === 0 || kv.create >= minCreateRevision),
    );
    const sign = request.sortOrder === 2 ? -1 : 1;
    return kvs.sort((a, b) => sign * byTarget(request.sortTarget, a, b));
  }

  #checkPut(request: PutRequest): EtcdError | null {
    if (request.lease !== 0n && !this.leases.has(request.lease)) return errLeaseNotFound;
    const isKeyNeeded = request.ignoreValue || request.ignoreLease;
    const isMissing = this.#interval(request.key, new Uint8Array(0)).length === 0;
    return isKeyNeeded && isMissing ? errKeyNotFound : null;
  }

  #put(request: PutRequest): ModelPut {
    const key = toBinaryString(request.key);
    const old = this.live(this.revision + 1).get(key) ?? null;
    const mod = this.revision + 1;
    const lease = request.ignoreLease ? (old?.lease ?? 0n) : request.lease;
    const kv: ModelKv = {
      key,
      value: request.ignoreValue ? (old?.value ?? "") : toBinaryString(request.value),
      create: old?.create ?? mod,
      mod,
      version: (old?.version ?? 0) + 1,
      lease,
    };
    this.events.push({ isDelete: false, revision: mod, sub: this.#subs++, kv });
    this.#attach(key, lease);
    return { kind: "put", revision: mod, prevKv: request.prevKv ? old : null };
  }

  #attach(key: string, lease: bigint): void {
    for (const keys of this.leases.values()) keys.delete(key);
    this.leases.get(lease)?.add(key);
  }

  #deleteRange(request: DeleteRangeRequest): ModelDelete {
    const kvs = this.#interval(request.key, request.rangeEnd);
    for (const kv of kvs) this.#delete(kv.key);
    return {
      kind: "deleteRange",
      revision: this.#writing(),
      deleted: kvs.length,
      prevKvs: request.prevKv ? kvs : [],
    };
  }

  #delete(key: string): void {
    const revision = this.revision + 1;
    const kv = { key, value: "", create: 0, mod: revision, version: 0, lease: 0n };
    this.events.push({ isDelete: true, revision, sub: this.#subs++, kv });
    this.#attach(key, 0n);
  }

  /** The branch each transaction takes, parents before their nested ones, in list order. */
  #path(request: TxnRequest): boolean[] {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const path = [succeeded];
    for (const op of succeeded ? request.success : request.failure) {
      if (op.kind === "txn") path.push(...this.#path(op.txn));
    }
    return path;
  }

  #holds(compare: Compare): boolean {
    const kvs = this.#interval(compare.key, compare.rangeEnd);
    if (kvs.length > 0) return kvs.every((kv) => compares(compare, kv));
    return compare.target !== 3 && compares(compare, missing);
  }

  #checkTxn(request: TxnRequest, path: boolean[]): EtcdError | null {
    for (const op of path.shift() ? request.success : request.failure) {
      const error = this.#checkOp(op, path);
      if (error !== null) return error;
    }
    return null;
  }

  #checkOp(op: RequestOp, path: boolean[]): EtcdError | null {
    if (op.kind === "range") return this.#checkRevision(op.range.revision);
    if (op.kind === "put") return this.#checkPut(op.put);
    return op.kind === "txn" ? this.#checkTxn(op.txn, path) : null;
  }

  #txn(request: TxnRequest, path: boolean[]): ModelTxn {
    const succeeded = path.shift()!;
    const ops = succeeded ? request.success : request.failure;
    const responses = ops.map((op) => this.#op(op, path));
    return { kind: "txn", revision: 0, succeeded, responses };
  }

  #op(op: RequestOp, path: boolean[]): ModelResponse {
    if (op.kind === "range") return this.#range(op.range);
    if (op.kind === "put") return this.#put(op.put);
    if (op.kind === "deleteRange") return this.#deleteRange(op.deleteRange);
    if (op.kind === "txn") return this.#txn(op.txn, path);
    throw new Error("an empty operation is refused before the model");
  }
}

const missing: ModelKv = { key: "", value: "", create: 0, mod: 0, version: 0, lease: 0n };

function byOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byTarget(target: number, a: ModelKv, b: ModelKv): number {
  if (target === 1) return a.version - b.version;
  if (target === 2) return a.create - b.create;
  if (target === 3) return a.mod - b.mod;
  return target === valueTarget ? byOrder(a.value, b.value) : byOrder(a.key, b.key);
}

/** keys_only: the value goes, and the lease too unless the values were read for sorting. */
function blank(kv: ModelKv, request: RangeRequest): ModelKv {
  if (!request.keysOnly) return kv;
  return { ...kv, value: "", lease: request.sortTarget === valueTarget ? kv.lease : 0n };
}

/** A union that does not belong to the target counts as zero or empty. */
function compares(compare: Compare, kv: ModelKv): boolean {
  const { target, union, result } = compare;
  const number = (field: number): number => (union === field ? compare.number : 0);
  let order: number;
  if (target === 0) order = kv.version - number(4);
  else if (target === 1) order = kv.create - number(5);
  else if (target === 2) order = kv.mod - number(6);
  else if (target === 3)
    order = byOrder(kv.value, union === 7 ? toBinaryString(compare.value) : "");
  else if (target === 4) order = Number(kv.lease - (union === 8 ? compare.lease : 0n));
  else order = 0;
  if (result === 0) return order === 0;
  if (result === 1) return order > 0;
  if (result === 2) return order < 0;
  return result === 3 ? order !== 0 : true;
}
