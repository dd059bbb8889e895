/**
 * What callers of the client see: inputs, results and the interface of each area. Wrappers
 * (namespace, ordering, leasing) implement the same interfaces, so recipes work on either.
 *
 * Keys and values go in as bytes or strings (UTF-8) and come out as bytes. Ids (cluster, member,
 * lease) are bigint; revisions, versions, counts and terms are numbers below 2^53.
 */
import type { LeaseGrant, LeaseTimeToLive } from "../codec/client/lease.ts";
import type {
  DeleteResult,
  GetResult,
  Header,
  KeyValue,
  OpResult,
  PutResult,
  TxnResult,
} from "../codec/client/results.ts";

export type { DeleteResult, GetResult, Header, KeyValue, OpResult, PutResult, TxnResult };
export type { LeaseGrant, LeaseTimeToLive };

export type Bytes = Uint8Array | string;

/** For every call. */
export interface CallOptions {
  /** Ends the call with an AbortError-like EtcdError (canceled) when it fires. */
  readonly signal?: AbortSignal;
  /**
   * Longest time for the call with all its retries, in ms; Infinity: none. Default: the client's
   * `timeoutMs`.
   */
  readonly timeoutMs?: number;
  /** Fail at once when the member asked has no leader (metadata hasleader). */
  readonly requireLeader?: boolean;
}

export type SortTarget = "key" | "version" | "create" | "mod" | "value";
export type SortOrder = "none" | "ascend" | "descend";

/** Which keys: the key alone, unless one of these is given. They exclude each other. */
export interface KeyRange {
  /** All keys that begin with the key; "" is every key. */
  readonly prefix?: boolean;
  /** All keys not below the key; "" is every key. */
  readonly fromKey?: boolean;
  /** All keys from the key up to this one, itself left out. */
  readonly rangeEnd?: Bytes;
}

export interface GetOptions extends KeyRange, CallOptions {
  readonly limit?: number;
  /** Read as of this revision; 0 or absent: the newest. */
  readonly revision?: number;
  readonly sort?: { readonly by?: SortTarget; readonly order?: SortOrder };
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

export interface PutOptions extends CallOptions {
  readonly lease?: bigint;
  readonly prevKv?: boolean;
  /** Keep the value, change the lease. The value given must be empty. */
  readonly ignoreValue?: boolean;
  /** Keep the lease, change the value. */
  readonly ignoreLease?: boolean;
}

export interface DeleteOptions extends KeyRange, CallOptions {
  readonly prevKv?: boolean;
}

/** An operation as a value: for `do`, for branches of transactions. Made by op.ts. */
export type Op = GetOp | PutOp | DeleteOp | TxnOp;

export interface GetOp {
  readonly kind: "get";
  readonly key: Bytes;
  readonly options: GetOptions;
}

export interface PutOp {
  readonly kind: "put";
  readonly key: Bytes;
  readonly value: Bytes;
  readonly options: PutOptions;
}

export interface DeleteOp {
  readonly kind: "delete";
  readonly key: Bytes;
  readonly options: DeleteOptions;
}

export interface TxnOp {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

export type CompareResult = "=" | "!=" | "<" | ">";

/** Made by compare.ts: `compare.version("k").equals(0)`. */
export interface Compare {
  readonly target: "version" | "create" | "mod" | "value" | "lease";
  readonly result: CompareResult;
  readonly key: Bytes;
  readonly range?: KeyRange;
  /** Number for version, create, mod; bytes for value; bigint for lease. */
  readonly operand: number | bigint | Bytes;
}

/** The result type of an operation, so that transactions are typed by what they hold. */
export type ResultOf<T extends Op> = T extends GetOp
  ? GetResult
  : T extends PutOp
    ? PutResult
    : T extends DeleteOp
      ? DeleteResult
      : TxnResult;

/** The results of a branch, one per operation; of a list of unknown length, a list. */
export type ResultsOf<T extends readonly Op[]> = { readonly [I in keyof T]: ResultOf<T[I]> };

/** A transaction's result, typed by its branches: test `succeeded` first. */
export type BranchResult<Then extends readonly Op[], Else extends readonly Op[]> =
  | (TxnResult & { readonly succeeded: true; readonly responses: ResultsOf<Then> })
  | (TxnResult & { readonly succeeded: false; readonly responses: ResultsOf<Else> });

/**
 * `kv.txn().if(...).then(...).else(...).commit()`; each part at most once, in this order. Nothing
 * is sent before `commit`. A builder is no promise in spite of its `then`: do not await it.
 */
export interface TxnBuilder<
  Then extends readonly Op[] = readonly [],
  Else extends readonly Op[] = readonly [],
> {
  if(...compares: readonly Compare[]): TxnBuilder<Then, Else>;
  then<T extends readonly Op[]>(...ops: T): TxnBuilder<T, Else>;
  else<E extends readonly Op[]>(...ops: E): TxnBuilder<Then, E>;
  commit(options?: CallOptions): Promise<BranchResult<Then, Else>>;
}

export interface Kv {
  get(key: Bytes, options?: GetOptions): Promise<GetResult>;
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<PutResult>;
  delete(key: Bytes, options?: DeleteOptions): Promise<DeleteResult>;
  /** Answers with the header of the compaction. */
  compact(
    revision: number,
    options?: CallOptions & { readonly physical?: boolean },
  ): Promise<{ readonly header: Header }>;
  do<T extends Op>(op: T, options?: CallOptions): Promise<ResultOf<T>>;
  txn(): TxnBuilder;
  /** A large range in pieces, in key order, at one revision (RangeStream, or pages of Range). */
  stream(key: Bytes, options?: GetOptions): AsyncIterable<KeyValue>;
}

export interface WatchOptions extends KeyRange {
  /** First revision to see; absent: what happens from now on. */
  readonly startRevision?: number;
  readonly prevKv?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  /** The server says from time to time how far it has come, when there is nothing else to say. */
  readonly progressNotify?: boolean;
  /** Let the server cut large answers; they are put together again before they are delivered. */
  readonly fragment?: boolean;
  readonly requireLeader?: boolean;
  /** Most batches held for a reader that does not read; then the stream's reading pauses. */
  readonly bufferedBatchesMax?: number;
  readonly signal?: AbortSignal;
}

export interface WatchEvent {
  readonly type: "put" | "delete";
  readonly kv: KeyValue;
  readonly prevKv: KeyValue | null;
  readonly isCreate: boolean;
}

/** The events of one or more whole revisions, in order; without events: a progress notice. */
export interface WatchBatch {
  readonly header: Header;
  readonly events: readonly WatchEvent[];
  readonly isProgress: boolean;
}

/**
 * One watch. Ends quietly after `cancel()`, a signal or the client's close; throws (and emits
 * "error") WatchCompactedError or WatchCanceledError when the server ended it.
 */
export interface Watcher extends AsyncIterable<WatchBatch> {
  /** Resolves when the server has confirmed the watch for the first time. */
  readonly created: Promise<Header>;
  /** Every event, one by one. */
  events(): AsyncIterable<WatchEvent>;
  on(event: "batch", listener: (batch: WatchBatch) => void): this;
  on(event: "event", listener: (event: WatchEvent) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "end", listener: () => void): this;
  off(event: "batch" | "event" | "error" | "end", listener: (value: never) => void): this;
  /** Revision from which the watch would go on after a disconnect. */
  readonly nextRevision: number;
  cancel(): Promise<void>;
}

export interface Watch {
  watch(key: Bytes, options?: WatchOptions): Watcher;
  /** Asks for a progress notice on all watches of the stream. */
  requestProgress(options?: { readonly requireLeader?: boolean }): Promise<void>;
}

/** A lease that is being renewed. Iterates over the answers; ends when the lease is gone. */
export interface KeepAlive extends AsyncIterable<LeaseGrant> {
  readonly id: bigint;
  /** Fires once: the lease expired, was revoked, or could not be renewed for its whole TTL. */
  readonly lost: AbortSignal;
  stop(): void;
}

export interface Lease {
  /** `ttlSeconds` >= 1; `id` 0n or absent lets the server choose. */
  grant(ttlSeconds: number, options?: CallOptions & { readonly id?: bigint }): Promise<LeaseGrant>;
  revoke(id: bigint, options?: CallOptions): Promise<{ readonly header: Header }>;
  keepAlive(id: bigint, options?: { readonly signal?: AbortSignal }): KeepAlive;
  /** Throws LeaseNotFoundError when the lease is gone. */
  keepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseGrant>;
  timeToLive(
    id: bigint,
    options?: CallOptions & { readonly keys?: boolean },
  ): Promise<LeaseTimeToLive>;
  leases(
    options?: CallOptions,
  ): Promise<{ readonly header: Header; readonly leases: readonly bigint[] }>;
}

/** The areas that recipes need; EtcdClient has them, and so have its wrappers. */
export interface KvWatchLease {
  readonly kv: Kv;
  readonly watch: Watch;
  readonly lease: Lease;
}
