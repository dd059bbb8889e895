/** What the KV service answers, as the client's users see it. */

export interface Header {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly revision: number;
  readonly raftTerm: number;
}

/**
 * One key at one revision. Key and value are views into the answer they came with: a copy
 * (`slice`) of what is kept for long lets the rest of the answer go.
 */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** 0n: none. */
  readonly lease: bigint;
  /** The value as UTF-8 text. */
  string(): string;
  /** The value parsed as JSON. Throws SyntaxError as JSON.parse does. */
  json(): unknown;
  /** The key as UTF-8 text. */
  keyString(): string;
}

export interface GetResult {
  readonly kind: "get";
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  /** A limit kept some keys out of `kvs`. */
  readonly more: boolean;
  /** How many keys the range holds, whatever the limit. */
  readonly count: number;
}

export interface PutResult {
  readonly kind: "put";
  readonly header: Header;
  /** What the key held before, if asked for and there. */
  readonly prevKv: KeyValue | null;
}

export interface DeleteResult {
  readonly kind: "delete";
  readonly header: Header;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export interface TxnResult {
  readonly kind: "txn";
  readonly header: Header;
  /** Whether the compares held, hence which branch ran. */
  readonly succeeded: boolean;
  /** One per operation of the branch, in order. */
  readonly responses: readonly OpResult[];
}

export type OpResult = GetResult | PutResult | DeleteResult | TxnResult;
