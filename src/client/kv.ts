import { encoder } from "../codec/client/encode.ts";
import {
  decodeDeleteResult,
  decodeGetResult,
  decodeHeaderResult,
  decodePutResult,
  type HeaderResult,
} from "../codec/client/kv.ts";
import { decodeTxnResult } from "../codec/client/txn.ts";
import { encodeDeleteRangeRequest, encodePutRequest, encodeRangeRequest } from "../codec/kv.ts";
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from "../codec/messages.ts";
import { encodeCompactionRequest, encodeTxnRequest } from "../codec/txn.ts";
import type { Caller, Method } from "./caller.ts";
import { toInt } from "./input.ts";
import { streamRange } from "./kv-stream.ts";
import { isWrite, toDeleteRequest, toPutRequest, toRangeRequest, toTxnRequest } from "./op.ts";
import { TxnDraft } from "./txn.ts";
import type {
  Bytes,
  CallOptions,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  GetResult,
  KeyValue,
  Kv,
  Op,
  PutOptions,
  PutResult,
  ResultOf,
  TxnOp,
  TxnResult,
} from "./types.ts";

const range: Method<RangeRequest, GetResult> = {
  path: "/etcdserverpb.KV/Range",
  retry: "read",
  encode: encoder(encodeRangeRequest),
  decode: decodeGetResult,
};

const put: Method<PutRequest, PutResult> = {
  path: "/etcdserverpb.KV/Put",
  retry: "write",
  encode: encoder(encodePutRequest),
  decode: decodePutResult,
};

const deleteRange: Method<DeleteRangeRequest, DeleteResult> = {
  path: "/etcdserverpb.KV/DeleteRange",
  retry: "write",
  encode: encoder(encodeDeleteRangeRequest),
  decode: decodeDeleteResult,
};

const txn: Method<TxnRequest, TxnResult> = {
  path: "/etcdserverpb.KV/Txn",
  retry: "write",
  encode: encoder(encodeTxnRequest),
  decode: decodeTxnResult,
};

/** One that changes nothing, whichever branch runs. */
const readTxn: Method<TxnRequest, TxnResult> = { ...txn, retry: "read" };

const compact: Method<CompactionRequest, HeaderResult> = {
  path: "/etcdserverpb.KV/Compact",
  retry: "write",
  encode: encoder(encodeCompactionRequest),
  decode: decodeHeaderResult,
};

/** Keys and values: `client.kv`. */
export class KvArea implements Kv {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async get(key: Bytes, options?: GetOptions): Promise<GetResult> {
    return this.#caller.call(range, toRangeRequest(key, options), options);
  }

  async put(key: Bytes, value: Bytes, options?: PutOptions): Promise<PutResult> {
    return this.#caller.call(put, toPutRequest(key, value, options), options);
  }

  async delete(key: Bytes, options?: DeleteOptions): Promise<DeleteResult> {
    return this.#caller.call(deleteRange, toDeleteRequest(key, options), options);
  }

  /** `physical`: answer only when the old revisions are gone from disk. */
  async compact(
    revision: number,
    options?: CallOptions & { readonly physical?: boolean },
  ): Promise<HeaderResult> {
    const physical = options?.physical === true;
    const request = { revision: toInt(revision, "revision"), physical, canonical: true };
    return this.#caller.call(compact, request, options);
  }

  /** Call options given here replace those inside the operation. */
  async do<T extends Op>(op: T, options?: CallOptions): Promise<ResultOf<T>> {
    return (await this.#do(op, options)) as ResultOf<T>;
  }

  txn(): TxnDraft {
    return new TxnDraft((op, options) => this.#txn(op, options));
  }

  /**
   * Works on members older than 3.7 as well, which are read page by page. What a limit or a filter
   * by revision leaves out is left out; another order than that of keys is refused.
   */
  stream(key: Bytes, options?: GetOptions): AsyncIterable<KeyValue> {
    return streamRange(this.#caller, range, toRangeRequest(key, options), options);
  }

  #do(
    op: Op,
    options: CallOptions | undefined,
  ): Promise<GetResult | PutResult | DeleteResult | TxnResult> {
    switch (op.kind) {
      case "get":
        return this.get(op.key, { ...op.options, ...options });
      case "put":
        return this.put(op.key, op.value, { ...op.options, ...options });
      case "delete":
        return this.delete(op.key, { ...op.options, ...options });
      case "txn":
        return this.#txn(op, options);
    }
  }

  #txn(op: TxnOp, options: CallOptions | undefined): Promise<TxnResult> {
    return this.#caller.call(isWrite(op) ? txn : readTxn, toTxnRequest(op), options);
  }
}
