import type { EtcdError } from "../../base/etcd-errors.ts";
import type { RangeRequest } from "../../codec/messages.ts";

export type { RangeRequest } from "../../codec/messages.ts";

/**
 * The answer to a range, with its key-values already in wire form: `chunks` hold RangeResponse's
 * `kvs` fields (tag 0x12, length, KeyValue) one after the other. Chunks never change.
 */
export interface RangeResult {
  count: number;
  more: boolean;
  kvCount: number;
  chunks: Uint8Array[];
  chunkBytes: number;
}

/** One key as the index knows it, without its value. Missing keys have no such record. */
export interface KeyMeta {
  createRevision: number;
  modRevision: number;
  version: number;
}

/** One change of a committed transaction. */
export interface MvccEvent {
  readonly isDelete: boolean;
  readonly modRevision: number;
  /** Position in its transaction. */
  readonly sub: number;
  readonly key: Uint8Array;
  /**
   * Encoded mvccpb.KeyValue: as stored for a put; key and mod_revision for a delete. Never changes.
   */
  readonly kv: Uint8Array;
}

/** What the store asks of leases. Ids are 0n for "none". */
export interface LeaseAttachments {
  attach(lease: bigint, key: Uint8Array): void;
  detach(lease: bigint, key: Uint8Array): void;
  /** The lease the key is attached to, or 0n. */
  leaseOf(key: Uint8Array): bigint;
  exists(lease: bigint): boolean;
}

/** Receives each transaction's events, in revision order, right after it ended. */
export interface EventListener {
  /** `events` never changes afterwards and may be kept. */
  committed(revision: number, events: readonly MvccEvent[]): void;
}

/**
 * One write transaction: all its writes share one main revision; it sees its own writes. Only one
 * is open at a time and it never crosses an event-loop turn.
 */
export interface WriteTxn {
  put(key: Uint8Array, value: Uint8Array, lease: bigint): void;
  /** Raw request form (rangeEnd empty = one key). Returns how many keys were deleted. */
  deleteRange(key: Uint8Array, rangeEnd: Uint8Array): number;
  /** Reads with the effects of this transaction. The caller has checked the revision. */
  range(request: RangeRequest): RangeResult;
  /** The key's live state inside this transaction, or null. */
  meta(key: Uint8Array): KeyMeta | null;
  /** Encoded KeyValue, or null. It never changes. */
  keyValue(key: Uint8Array): Uint8Array | null;
  /**
   * Live keys of the interval in key order with their encoded KeyValue (it never changes), until
   * `visit` returns false.
   */
  forEach(key: Uint8Array, rangeEnd: Uint8Array, visit: (kv: Uint8Array) => boolean): void;
  /** The revision a header would show now: the new one once something was written. */
  readonly revision: number;
  /**
   * Ends it; returns the store's revision afterwards (unchanged if nothing was written). Notifies
   * the listener.
   */
  end(): number;
}

export type RangeOutcome = RangeResult | EtcdError;

/** How much one read of history may return; the last revision read is always whole. */
export interface HistoryLimits {
  readonly events: number;
  readonly bytes: number;
}

/** Events in revision order. */
export interface HistoryBatch {
  readonly events: MvccEvent[];
  /** First revision not covered: go on from here; toRevision + 1 when all was read. */
  readonly next: number;
}

/** errCompacted when the first revision asked for is below the compact revision. */
export type HistoryOutcome = HistoryBatch | EtcdError;

/** What the watch side asks of the store. */
export interface HistorySource {
  readonly currentRevision: number;
  readonly compactRevision: number;
  /**
   * Events with fromRevision <= revision <= min(toRevision, currentRevision), from memory and
   * backend.
   */
  history(fromRevision: number, toRevision: number, limits: HistoryLimits): HistoryOutcome;
  /** Encoded KeyValue the key had at modRevision - 1; null if it had none or that is compacted. */
  prevKeyValue(key: Uint8Array, modRevision: number): Uint8Array | null;
}
