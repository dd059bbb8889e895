/**
 * A database file from a peer: first the frame of its MsgSnap, then the file's bytes to the end of
 * the body.
 *
 * SV1  The sink gets one piece at a time, and after the last exactly one of `end` and `abort`.
 * SV2  The sender is checked before a byte of the file is taken, and answered once.
 */
import type { Message } from "../../raft/message.ts";
import { FrameError } from "./frame-error.ts";
import type { HandlerDeps, PeerExchange } from "./handlers.ts";
import { checkMessage, isSnapshot } from "./message-check.ts";
import { MessageDecoder } from "./message-frames.ts";
import { messageTypeName } from "./message-type.ts";
import { hex } from "./peer-headers.ts";
import type { SnapshotSink } from "./peer-port.ts";
import { sizeText } from "./size-text.ts";

type Answer = (status: number, text: string) => void;

export function receiveSnapshot(
  deps: HandlerDeps,
  exchange: PeerExchange,
  sender: bigint | null,
  answer: Answer,
): void {
  const receiver = new Receiver(deps, exchange, sender, answer);
  exchange.readPieces(receiver);
}

class Receiver {
  readonly #deps: HandlerDeps;
  readonly #remoteAddress: string;
  readonly #sender: bigint | null;
  readonly #answer: Answer;
  readonly #decoder: MessageDecoder;
  readonly #startedAt: number;
  #message: Message | null = null;
  #sink: SnapshotSink | null = null;
  #fileBytes = 0;
  /** Counted as being received. */
  #isReceiving = false;
  #isAnswered = false;

  constructor(deps: HandlerDeps, exchange: PeerExchange, sender: bigint | null, answer: Answer) {
    this.#deps = deps;
    this.#remoteAddress = exchange.remoteAddress;
    this.#sender = sender;
    this.#answer = answer;
    const messageBytesMax = deps.inbound.limits.snapshotMessageBytesMax;
    this.#decoder = new MessageDecoder({ messageBytesMax });
    this.#startedAt = deps.clock.now();
  }

  data(bytes: Uint8Array, next: () => void): void {
    if (this.#isAnswered) return; // the rest of a refused file is not read
    if (this.#sink !== null) {
      this.#write(this.#sink, bytes, next);
      return;
    }
    this.#decoder.push(bytes);
    let message: Message | null;
    try {
      message = this.#decoder.next();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#undecodable(error.message);
      return;
    }
    if (message === null) {
      next();
      return;
    }
    const sink = this.#accept(message);
    if (sink === null) return;
    this.#sink = sink;
    this.#message = message;
    const rest = this.#decoder.takeRest();
    if (rest.length === 0) next();
    else this.#write(sink, rest, next);
  }

  end(): void {
    if (this.#isAnswered) return;
    const sink = this.#sink;
    if (sink === null) {
      this.#undecodable(this.#decoder.waitingBytes === 0 ? "EOF" : "unexpected EOF");
      return;
    }
    const { log } = this.#deps;
    log.info("received and saved database snapshot", {
      ...this.#about(),
      "incoming-snapshot-size-bytes": this.#fileBytes,
      "incoming-snapshot-size": sizeText(this.#fileBytes),
      "download-took": `${this.#deps.clock.now() - this.#startedAt}ms`,
    });
    sink.end((error) => {
      this.#sink = null; // SV1
      if (this.#isAnswered) return;
      if (error === null) this.#succeed();
      else {
        log.warn("failed to process Raft message", { ...this.#about(), error: error.message });
        this.#fail(500, `failed to process raft message (${error.message})`);
      }
    });
  }

  abort(error: Error): void {
    if (this.#isAnswered) return;
    if (this.#sink === null) this.#undecodable(error.message);
    else this.#unsaved(error.message);
  }

  #write(sink: SnapshotSink, bytes: Uint8Array, next: () => void): void {
    this.#fileBytes += bytes.length;
    this.#deps.inbound.metrics.receivedBytes.with(this.#from()).value += bytes.length;
    sink.write(bytes, (error) => {
      if (this.#isAnswered) return;
      if (error === null) next();
      else this.#unsaved(error.message);
    });
  }

  /** SV2 */
  #accept(message: Message): SnapshotSink | null {
    const { inbound, log } = this.#deps;
    this.#message = message;
    if (!isSnapshot(message) || message.snapshot === null) {
      log.warn("unexpected Raft message type", {
        ...this.#about(),
        "message-type": messageTypeName(message.type),
      });
      this.#fail(400, "wrong raft message type");
      return null;
    }
    const refusal = checkMessage(message, this.#sender, inbound, log);
    if (refusal !== null) {
      this.#fail(500, `failed to process raft message (${refusal.reason})`);
      return null;
    }
    log.info("receiving database snapshot", this.#about());
    const sink = inbound.events.receiveSnapshot(message);
    if (sink === null) {
      this.#unsaved("not wanted now");
      return null;
    }
    this.#isReceiving = true;
    inbound.metrics.snapshotsReceiving.with(this.#from()).value++;
    return sink;
  }

  #undecodable(reason: string): void {
    const { log, inbound } = this.#deps;
    log.warn("failed to decode Raft message", { ...this.#about(), error: reason });
    inbound.metrics.receivedFailures.with(this.#remoteAddress).value++;
    this.#fail(400, `failed to decode raft message (${reason})`);
  }

  #unsaved(reason: string): void {
    const { log } = this.#deps;
    log.warn("failed to save incoming database snapshot", { ...this.#about(), error: reason });
    this.#fail(500, `failed to save KV snapshot (${reason})`);
  }

  #succeed(): void {
    const { metrics } = this.#deps.inbound;
    const from = this.#from();
    metrics.snapshotsReceiving.with(from).value--;
    metrics.snapshotsReceived.with(from).value++;
    const seconds = (this.#deps.clock.now() - this.#startedAt) / 1_000;
    metrics.snapshotReceiveSeconds.with(from).observe(seconds);
    this.#isAnswered = true;
    this.#answer(204, "");
  }

  #fail(status: number, text: string): void {
    const { metrics } = this.#deps.inbound;
    const from = this.#from();
    metrics.snapshotReceiveFailures.with(from).value++;
    if (this.#isReceiving) metrics.snapshotsReceiving.with(from).value--;
    this.#isAnswered = true;
    this.#sink?.abort();
    this.#sink = null;
    this.#answer(status, text);
  }

  /** The sender's id in hex, 0 before its message came: as etcd's labels. */
  #from(): string {
    return hex(this.#message?.from ?? 0n);
  }

  #about(): Record<string, unknown> {
    return {
      "local-member-id": hex(this.#deps.inbound.identity.localId),
      "remote-snapshot-sender-id": this.#from(),
      "incoming-snapshot-index": this.#message?.snapshot?.metadata.index ?? 0,
    };
  }
}
