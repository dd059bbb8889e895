import type { EtcdError } from "../../base/etcd-errors.ts";
import { EtcdError as GrpcError } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import { decodeRangeRequest } from "../../codec/kv.ts";
import type { RangeRequest } from "../../codec/messages.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import { writeRangeTail } from "../apply/body.ts";
import type { RangeCursor, RangePiece } from "../mvcc/range-cursor.ts";
import type { KvServiceParts } from "./kv.ts";
import type { ReadWaiter } from "../read-gate.ts";
import { checkRange } from "./validate-request.ts";

const initialChunkKeys = 10;
const tagRangeResponse = 0x0a;

const errCustomSort = new GrpcError(
  grpcCode.unimplemented,
  "RangeStream does not support custom sort orders",
);
const errRevisionFilters = new GrpcError(
  grpcCode.unimplemented,
  "RangeStream does not support revision filters",
);

/**
 * KV.RangeStream (semantics.md 3): one picture of the store, in chunks as the client takes them.
 */
export function createRangeStream(parts: KvServiceParts): GrpcMethod {
  return {
    path: "/etcdserverpb.KV/RangeStream",
    clientStreaming: false,
    serverStreaming: true,
    message(call, bytes) {
      const request = decodeRangeRequest(bytes.slice());
      const error = checkRange(request) ?? checkStreamable(request);
      if (error !== null) {
        parts.answers.fail(call, error);
        return;
      }
      const stream = new RangeStream(call, request, parts);
      call.state = stream;
      if (request.serializable) stream.ready(null);
      else parts.reads.read(stream);
    },
    writable(call) {
      if (call.state instanceof RangeStream) call.state.run();
    },
  };
}

function checkStreamable(request: RangeRequest): EtcdError | null {
  const plainOrder =
    request.sortOrder === 0 || (request.sortTarget === 0 && request.sortOrder === 1);
  if (!plainOrder) return errCustomSort;
  const filtered =
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0;
  return filtered ? errRevisionFilters : null;
}

/**
 * One message is held back until it is known whether another follows: only the last has a header.
 */
class RangeStream implements ReadWaiter {
  readonly #call: GrpcCall;
  readonly #request: RangeRequest;
  readonly #parts: KvServiceParts;
  readonly #out = new Writer();
  #cursor: RangeCursor | null = null;
  #headerRevision = 0;
  #held: RangePiece | null = null;
  #chunkKeys: number;
  #isEnded = false;
  /** The next turn goes on, whatever the client's window says meanwhile. */
  #isScheduled = false;

  constructor(call: GrpcCall, request: RangeRequest, parts: KvServiceParts) {
    this.#call = call;
    this.#request = request;
    this.#parts = parts;
    // etcd takes a negative limit as "all at once".
    this.#chunkKeys = request.limit < 0 ? Infinity : initialChunkKeys;
  }

  ready(error: EtcdError | null): void {
    const { answers, store } = this.#parts;
    if (error !== null) {
      answers.fail(this.#call, error);
      return;
    }
    const cursor = store.rangeCursor(this.#request);
    if ("code" in cursor) {
      answers.fail(this.#call, cursor);
      return;
    }
    this.#cursor = cursor;
    this.#headerRevision = store.currentRevision;
    this.run();
  }

  /**
   * Sends chunks until the client's window is full, one turn's share of keys is used, or the end.
   */
  run(): void {
    while (!this.#isEnded && !this.#call.done && !this.#isScheduled) {
      const step = this.#step();
      if (step === "wait") return;
      if (step === "yield") {
        this.#isScheduled = true;
        this.#parts.turn.next(() => {
          this.#isScheduled = false;
          this.run();
        });
        return;
      }
    }
  }

  #step(): "go on" | "wait" | "yield" {
    if (this.#cursor === null) return "wait";
    const piece = this.#cursor.next(this.#chunkKeys);
    if ("code" in piece) {
      this.#isEnded = true;
      this.#parts.answers.fail(this.#call, piece);
      return "wait";
    }
    if (piece.kvCount === 0 && !piece.isLast) return "yield"; // only counted so far
    this.#chunkKeys = nextChunkKeys(this.#chunkKeys, piece.chunkBytes, this.#parts.requestBytesMax);
    const held = this.#held;
    this.#held = piece.isLast ? null : piece;
    if (held === null && !piece.isLast) return "go on";
    if (!piece.isLast) return this.#send(held?.chunks ?? [], null) ? "go on" : "wait";
    if (held !== null && piece.kvCount > 0) this.#send(held.chunks, null);
    this.#send(piece.kvCount > 0 || held === null ? piece.chunks : held.chunks, piece);
    this.#isEnded = true;
    this.#call.finish(grpcCode.ok, "");
    return "wait";
  }

  /** `last` brings what only the last message holds. */
  #send(chunks: readonly Uint8Array[], last: RangePiece | null): boolean {
    const out = this.#out;
    out.reset();
    const mark = out.beginNested(tagRangeResponse);
    if (last !== null) this.#parts.answers.writeHeader(out, this.#headerRevision);
    for (const chunk of chunks) out.raw(chunk);
    if (last !== null) writeRangeTail(out, last.more, last.count);
    out.endNested(mark);
    const bytes = out.copy();
    return this.#call.sendParts([bytes], bytes.length);
  }
}

/** Doubles while chunks stay below half the target, halves when one went over twice the target. */
function nextChunkKeys(keys: number, bytes: number, targetBytes: number): number {
  if (bytes < targetBytes / 2) return keys * 2;
  if (bytes > targetBytes * 2) return Math.max(1, Math.floor(keys / 2));
  return keys;
}
