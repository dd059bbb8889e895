import type { EtcdError } from "../../base/etcd-errors.ts";
import { decodeDeleteRangeRequest, decodePutRequest, decodeRangeRequest } from "../../codec/kv.ts";
import {
  encodeCompactionRequest,
  decodeCompactionRequest,
  decodeTxnRequest,
  encodeTxnRequest,
} from "../../codec/txn.ts";
import { encodeDeleteRangeRequest, encodePutRequest } from "../../codec/kv.ts";
import type { RangeRequest, TxnRequest } from "../../codec/messages.ts";
import { Arena } from "../../base/arena.ts";
import type { Turn } from "../../base/ports.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import type { ApplyResult } from "../apply/applier.ts";
import { writeRangeBody, writeRangeTail } from "../apply/body.ts";
import { requestField } from "../apply/fields.ts";
import { putCost, txnCost } from "../apply/quota.ts";
import { notMeasured, type RequestTimes } from "../apply/request-times.ts";
import { isReadOnly, isSerializable, runTxn, type TxnState } from "../apply/txn.ts";
import type { KvStore } from "../mvcc/store.ts";
import type { RangeOutcome, RangeResult } from "../mvcc/types.ts";
import { WriteWaiter, type Answers } from "./answers.ts";
import { createRangeStream } from "./range-stream.ts";
import type { ReadWaiter } from "../read-gate.ts";
import type { LinearizableReads, Proposer } from "./services.ts";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "./validate-request.ts";

export interface KvServiceParts {
  readonly store: KvStore;
  readonly proposer: Proposer;
  readonly reads: LinearizableReads;
  readonly answers: Answers;
  readonly times: RequestTimes;
  readonly txnState: TxnState;
  /**
   * Answers the error of a write that cannot fit the quota, having asked for the alarm; else null.
   */
  readonly checkQuota: (costBytes: number) => EtcdError | null;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  readonly turn: Turn;
}

/** etcdserverpb.KV. */
export function createKvService(parts: KvServiceParts): GrpcMethod[] {
  const service = new KvService(parts);
  const unary = (name: string, message: GrpcMethod["message"]): GrpcMethod => ({
    path: `/etcdserverpb.KV/${name}`,
    clientStreaming: false,
    serverStreaming: false,
    message,
  });
  return [
    unary("Range", (call, bytes) => {
      service.range(call, bytes);
    }),
    unary("Put", (call, bytes) => {
      service.put(call, bytes);
    }),
    unary("DeleteRange", (call, bytes) => {
      service.deleteRange(call, bytes);
    }),
    unary("Txn", (call, bytes) => {
      service.txn(call, bytes);
    }),
    unary("Compact", (call, bytes) => {
      service.compact(call, bytes);
    }),
    createRangeStream(parts),
  ];
}

class KvService {
  readonly #parts: KvServiceParts;
  readonly #scratch = new Writer();
  readonly #requests = new Arena();

  constructor(parts: KvServiceParts) {
    this.#parts = parts;
  }

  range(call: GrpcCall, bytes: Uint8Array): void {
    const request = decodeRangeRequest(bytes);
    const error = checkRange(request);
    if (error !== null) {
      this.#parts.answers.fail(call, error);
      return;
    }
    request.key = request.key.slice(); // the read runs later; the message does not last
    request.rangeEnd = request.rangeEnd.slice();
    const read = new RangeRead(call, request, this.#parts);
    if (request.serializable) read.ready(null);
    else this.#parts.reads.read(read);
  }

  put(call: GrpcCall, bytes: Uint8Array): void {
    const { answers, checkQuota } = this.#parts;
    const request = decodePutRequest(bytes);
    const error = checkPut(request) ?? checkQuota(putCost(request));
    if (error !== null) {
      answers.fail(call, error);
      return;
    }
    const body = request.canonical ? bytes : this.#recode(encodePutRequest, request);
    this.#propose(call, requestField.put, body);
  }

  deleteRange(call: GrpcCall, bytes: Uint8Array): void {
    const request = decodeDeleteRangeRequest(bytes);
    const error = checkDeleteRange(request);
    if (error !== null) {
      this.#parts.answers.fail(call, error);
      return;
    }
    const body = request.canonical ? bytes : this.#recode(encodeDeleteRangeRequest, request);
    this.#propose(call, requestField.deleteRange, body);
  }

  txn(call: GrpcCall, bytes: Uint8Array): void {
    const { answers, checkQuota, txnOpsMax, reads, proposer } = this.#parts;
    // The decoded request is used again when it is applied or read.
    const owned = this.#requests.copy(bytes);
    const request = decodeTxnRequest(owned);
    const error = checkTxn(request, txnOpsMax) ?? checkQuota(txnCost(request));
    if (error !== null) {
      answers.fail(call, error);
      return;
    }
    if (!isReadOnly(request)) {
      const body = request.canonical ? owned : this.#recode(encodeTxnRequest, request);
      proposer.propose(requestField.txn, body, new TxnWaiter(call, answers, request));
      return;
    }
    const read = new TxnRead(call, request, this.#parts);
    if (isSerializable(request)) read.ready(null);
    else reads.read(read);
  }

  compact(call: GrpcCall, bytes: Uint8Array): void {
    const request = decodeCompactionRequest(bytes);
    const body = request.canonical ? bytes : this.#recode(encodeCompactionRequest, request);
    const { proposer, answers } = this.#parts;
    const waiter = request.physical
      ? new PhysicalCompaction(call, answers)
      : new WriteWaiter(call, answers);
    proposer.propose(requestField.compaction, body, waiter);
  }

  #propose(call: GrpcCall, field: number, body: Uint8Array): void {
    const { proposer, answers } = this.#parts;
    proposer.propose(field, body, new WriteWaiter(call, answers));
  }

  /** The log takes canonical bytes only (etcd writes what it decoded). */
  #recode<T>(encode: (out: Writer, message: T) => void, message: T): Uint8Array {
    this.#scratch.reset();
    encode(this.#scratch, message);
    return this.#scratch.view();
  }
}

/** Keeps the decoded request for the moment it is applied. */
class TxnWaiter extends WriteWaiter {
  readonly request: TxnRequest;

  constructor(call: GrpcCall, answers: Answers, request: TxnRequest) {
    super(call, answers);
    this.request = request;
  }
}

/** Physical compaction answers once the rows are gone, and that is durable. */
class PhysicalCompaction extends WriteWaiter {
  override applied(result: ApplyResult): void {
    if (result.compaction === null) {
      super.applied(result);
      return;
    }
    const { revision } = result;
    result.compaction.whenFinished(() => {
      this.answers.send(this.call, this.answers.begin(revision));
    });
  }
}

class RangeRead implements ReadWaiter {
  readonly #call: GrpcCall;
  readonly #request: RangeRequest;
  readonly #parts: KvServiceParts;
  readonly #askedAt: number;
  #readAt = 0;

  constructor(call: GrpcCall, request: RangeRequest, parts: KvServiceParts) {
    this.#call = call;
    this.#request = request;
    this.#parts = parts;
    this.#askedAt = parts.times.sample();
  }

  ready(error: EtcdError | null): void {
    const { answers, store, times } = this.#parts;
    if (error !== null) {
      answers.fail(this.#call, error);
      return;
    }
    if (this.#askedAt !== notMeasured) this.#readAt = times.now();
    if (this.#request.rangeEnd.length === 0) {
      const outcome = store.range(this.#request);
      this.#finished(outcome);
      if ("code" in outcome) answers.fail(this.#call, outcome);
      else this.#answer(outcome, store.currentRevision);
    } else if (!this.#call.done) {
      const { currentRevision } = store; // the header shows the revision the read saw as newest
      const outcome = store.rangeSliced(this.#request, (later) => {
        this.#sliced(later, currentRevision);
      });
      if (outcome !== null) this.#sliced(outcome, currentRevision);
    }
  }

  #finished(outcome: RangeOutcome): void {
    if (this.#askedAt === notMeasured) return;
    const { times } = this.#parts;
    const isGood = !("code" in outcome);
    times.range(this.#readAt, isGood);
    times.read("Range", this.#askedAt, isGood);
  }

  /** The store counts a sliced result's bytes until they have left. */
  #sliced(outcome: RangeOutcome, revision: number): void {
    const { answers, store } = this.#parts;
    this.#finished(outcome);
    if ("code" in outcome) {
      answers.fail(this.#call, outcome);
      return;
    }
    this.#answer(outcome, revision, () => {
      store.releaseRange(outcome);
    });
  }

  #answer(result: RangeResult, revision: number, released?: () => void): void {
    const { answers } = this.#parts;
    const out = answers.begin(revision);
    if (result.chunkBytes <= inlineRangeBytesMax) {
      writeRangeBody(out, result);
      answers.send(this.#call, out);
      released?.();
      return;
    }
    const head = out.copy();
    out.reset();
    writeRangeTail(out, result.more, result.count);
    const tail = out.copy();
    const total = head.length + result.chunkBytes + tail.length;
    this.#call.replyParts([head, ...result.chunks, tail], total, released);
  }
}

/**
 * Up to here an answer's key-values are copied next to its header; beyond, chunks go by reference.
 */
const inlineRangeBytesMax = 8 * 1024;

class TxnRead implements ReadWaiter {
  readonly #call: GrpcCall;
  readonly #request: TxnRequest;
  readonly #parts: KvServiceParts;
  readonly #askedAt: number;

  constructor(call: GrpcCall, request: TxnRequest, parts: KvServiceParts) {
    this.#call = call;
    this.#request = request;
    this.#parts = parts;
    this.#askedAt = parts.times.sample();
  }

  ready(error: EtcdError | null): void {
    const { answers, store, times, txnState } = this.#parts;
    if (error !== null) {
      answers.fail(this.#call, error);
      return;
    }
    const out = answers.begin(store.currentRevision);
    const txn = store.begin();
    const refused = runTxn(txn, this.#request, txnState, out);
    txn.end();
    if (this.#askedAt !== notMeasured) times.read("ReadonlyTxn", this.#askedAt, refused === null);
    if (refused !== null) answers.fail(this.#call, refused);
    else answers.send(this.#call, out);
  }
}
