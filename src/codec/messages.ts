/**
 * Decoded forms of the hot messages. int64 ids are bigint; revisions, versions, counts and TTLs are
 * numbers (values beyond 2^53 are rounded: they only ever mean "huge", and what is forwarded to the
 * log is the original or re-encoded bytes). Byte fields are views into the decoded buffer.
 */

export interface Canonical {
  /**
   * The bytes were exactly what a canonical encoder writes for this message; if not, re-encode
   * before forwarding.
   */
  canonical: boolean;
}

export interface KeyValue {
  key: Uint8Array;
  createRevision: number;
  modRevision: number;
  version: number;
  value: Uint8Array;
  lease: bigint;
}

export interface RangeRequest extends Canonical {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  limit: number;
  revision: number;
  /** 0 none, 1 ascend, 2 descend; others are kept as sent. */
  sortOrder: number;
  /** 0 key, 1 version, 2 create, 3 mod, 4 value. */
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export interface PutRequest extends Canonical {
  key: Uint8Array;
  value: Uint8Array;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

export interface DeleteRangeRequest extends Canonical {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  prevKv: boolean;
}

export interface Compare {
  /** 0 equal, 1 greater, 2 less, 3 not equal. */
  result: number;
  /** 0 version, 1 create, 2 mod, 3 value, 4 lease. */
  target: number;
  key: Uint8Array;
  rangeEnd: Uint8Array;
  /**
   * Which member of the target_union is set: its field number (4 version, 5 create, 6 mod, 7 value,
   * 8 lease), 0 if none.
   */
  union: number;
  /** The union's number for fields 4, 5, 6; else 0. */
  number: number;
  value: Uint8Array;
  lease: bigint;
}

/** Exactly one is set, or kind "none" for an empty RequestOp. */
export type RequestOp =
  | { kind: "none" }
  | { kind: "range"; range: RangeRequest }
  | { kind: "put"; put: PutRequest }
  | { kind: "deleteRange"; deleteRange: DeleteRangeRequest }
  | { kind: "txn"; txn: TxnRequest };

export interface TxnRequest extends Canonical {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export interface CompactionRequest extends Canonical {
  revision: number;
  physical: boolean;
}

export interface LeaseGrantRequest extends Canonical {
  ttl: number;
  id: bigint;
}

/** LeaseRevoke and LeaseKeepAlive requests. */
export interface LeaseIdRequest extends Canonical {
  id: bigint;
}

export interface LeaseTimeToLiveRequest {
  id: bigint;
  keys: boolean;
}

export interface WatchCreateRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  startRevision: number;
  progressNotify: boolean;
  noPut: boolean;
  noDelete: boolean;
  prevKv: boolean;
  watchId: number;
  fragment: boolean;
}

export type WatchRequest =
  | { kind: "none" }
  | { kind: "create"; create: WatchCreateRequest }
  | { kind: "cancel"; watchId: number }
  | { kind: "progress" };

/** An InternalRaftRequest: the envelope around every proposal. */
export interface InternalRequest {
  /** Request id, split: the proposing member's 16 bits and its 48-bit counter. 0,0 when absent. */
  idHigh: number;
  idLow: number;
  username: string;
  authRevision: number;
  /**
   * Field number of the request that is set (4 put, 5 delete_range, 6 txn, ...; wire.md 5); 0 if
   * none.
   */
  field: number;
  /** Its bytes. */
  body: Uint8Array;
}
