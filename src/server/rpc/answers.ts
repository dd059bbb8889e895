import type { EtcdError } from "../../base/etcd-errors.ts";
import type { HeaderCodec } from "../../codec/header.ts";
import { Writer } from "../../codec/writer.ts";
import type { GrpcCall } from "../../http2/types.ts";
import type { ApplyResult } from "../apply/applier.ts";
import type { Waiter } from "../proposals.ts";

/**
 * Answers of up to this many bytes are copied into the connection's output; larger ones go by
 * reference.
 */
const copiedAnswerBytesMax = 16 * 1024;

/** Puts headers on answers and sends them. One scratch buffer serves all: calls never nest. */
export class Answers {
  readonly #header: HeaderCodec;
  readonly #raftTerm: () => number;
  readonly #scratch = new Writer();

  constructor(header: HeaderCodec, raftTerm: () => number) {
    this.#header = header;
    this.#raftTerm = raftTerm;
  }

  /** A writer that holds the header; fill in the rest and give it to {@link send}. */
  begin(revision: number): Writer {
    const out = this.#scratch;
    out.reset();
    this.writeHeader(out, revision);
    return out;
  }

  /** The header as field 1 of the message in `out`. */
  writeHeader(out: Writer, revision: number): void {
    this.#header.write(out, revision, this.#raftTerm());
  }

  send(call: GrpcCall, out: Writer): void {
    if (out.length <= copiedAnswerBytesMax) call.reply(out.bytes, 0, out.length);
    else call.replyParts([out.copy()], out.length);
  }

  fail(call: GrpcCall, error: EtcdError): void {
    call.finish(error.code, error.message);
  }

  /** The answer of an applied entry: header, then what applying wrote. */
  sendApplied(call: GrpcCall, result: ApplyResult): void {
    if (result.error !== null) {
      this.fail(call, result.error);
      return;
    }
    const out = this.begin(result.revision);
    out.append(result.body);
    this.send(call, out);
  }
}

/** Answers a call with what its proposal came to. */
export class WriteWaiter implements Waiter {
  protected readonly call: GrpcCall;
  protected readonly answers: Answers;

  constructor(call: GrpcCall, answers: Answers) {
    this.call = call;
    this.answers = answers;
  }

  get isGone(): boolean {
    return this.call.done;
  }

  applied(result: ApplyResult): void {
    this.answers.sendApplied(this.call, result);
  }

  failed(error: EtcdError): void {
    this.answers.fail(this.call, error);
  }
}
