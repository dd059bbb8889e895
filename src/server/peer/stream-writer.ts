/**
 * The outgoing side of one stream to one peer: what is to be sent waits here until the connection
 * that the peer dialled has taken what was given to it before.
 *
 * SW1  At most one write is under way per connection; what comes meanwhile is one next write.
 * SW2  Waiting messages and bytes have a bound; what does not fit is dropped and reported.
 * SW3  A connection that takes nothing for the write timeout is ended. Only its own peer waits.
 * SW4  Frames follow each other as the encoder made them: a dropped message was never encoded, and
 *      a lost connection takes all of its frames and its encoder with it.
 */
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import { Writer } from "../../codec/writer.ts";
import type { Message } from "../../raft/message.ts";
import { AppendEncoder, type SharedEntries, writeAppendHeartbeat } from "./append-frames.ts";
import { DropLog } from "./drop-log.ts";
import { writeMessageFrame, writeMessageHeartbeat } from "./message-frames.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { StreamHold, StreamKind, StreamSink } from "./peer-options.ts";
import type { PeerStatus } from "./peer-status.ts";

export interface StreamWriterDeps {
  readonly kind: StreamKind;
  /** Ids in hex. */
  readonly local: string;
  readonly remote: string;
  readonly status: PeerStatus;
  readonly shared: SharedEntries;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: PeerLimits;
  readonly metrics: Pick<PeerMetrics, "sentBytes" | "sentFailures">;
  /** Asks for `flush` at the end of the turn. */
  readonly wantFlush: (writer: StreamWriter) => void;
  readonly unreachable: () => void;
}

/** As etcd's logs name the two. */
export const streamNames: Readonly<Record<StreamKind, string>> = {
  msgapp: "stream MsgApp v2",
  message: "stream Message",
};

/** One attached connection. */
interface Attached {
  readonly sink: StreamSink;
  readonly encoder: AppendEncoder;
  /** What waits, and what is being written. */
  waiting: Writer;
  flying: Writer;
  waitingMessages: number;
  flyingMessages: number;
  /** Of `flying`, given to the sink. */
  given: number;
  isWriting: boolean;
  writeStartedAt: number;
  timer: Timer;
}

export class StreamWriter {
  readonly #deps: StreamWriterDeps;
  readonly #drops: DropLog;
  #attached: Attached | null = null;
  #isFlushWanted = false;

  constructor(deps: StreamWriterDeps) {
    this.#deps = deps;
    this.#drops = new DropLog(deps, deps.kind === "msgapp" ? "streamMsgAppV2" : "streamMsg");
    deps.log.info("started stream writer with remote peer", this.#who());
  }

  get isAttached(): boolean {
    return this.#attached !== null;
  }

  /** Sends at the end of the turn, or drops; must be attached. */
  send(message: Message): void {
    const to = this.#attached;
    if (to === null) return;
    const { limits } = this.#deps;
    const bytes = to.waiting.length + to.flying.length;
    const messages = to.waitingMessages + to.flyingMessages;
    if (messages >= limits.streamMessagesMax || bytes >= limits.streamBytesMax) {
      this.#drops.dropped(message); // SW2
      return;
    }
    if (this.#deps.kind === "msgapp") to.encoder.write(to.waiting, message);
    else writeMessageFrame(to.waiting, message);
    to.waitingMessages++;
    this.#wantFlush();
  }

  /** Gives what waits to the connection unless that is still busy (SW1). */
  flush(): void {
    this.#isFlushWanted = false;
    const to = this.#attached;
    if (to === null || to.isWriting || to.waiting.length === 0) return;
    [to.waiting, to.flying] = [to.flying, to.waiting];
    to.flyingMessages = to.waitingMessages;
    to.waitingMessages = 0;
    to.given = 0;
    this.#deps.metrics.sentBytes.with(this.#deps.remote).value += to.flying.length;
    this.#writePiece(to);
  }

  /** The peer dialled: what is sent from now on goes there. */
  attach(sink: StreamSink): StreamHold {
    const { log, kind, local, remote, status, shared } = this.#deps;
    const isReplaced = this.#close();
    const attached: Attached = {
      sink,
      encoder: new AppendEncoder(shared),
      waiting: new Writer(initialBytes),
      flying: new Writer(initialBytes),
      waitingMessages: 0,
      flyingMessages: 0,
      given: 0,
      isWriting: false,
      writeStartedAt: 0,
      timer: this.#beat(),
    };
    this.#attached = attached;
    const name = streamNames[kind];
    log.info("set message encoder", { from: local, to: remote, "stream-type": name });
    status.activate();
    if (isReplaced) log.warn("closed TCP streaming connection with remote peer", this.#who());
    log.info("established TCP streaming connection with remote peer", this.#who());
    return {
      closed: (error) => {
        if (this.#attached === attached) {
          this.#lost("write", error?.message ?? "connection closed by remote peer");
        }
      },
    };
  }

  stop(): void {
    const { log } = this.#deps;
    if (this.#close()) log.warn("closed TCP streaming connection with remote peer", this.#who());
    log.info("stopped TCP streaming connection with remote peer", this.#who());
  }

  #writePiece(to: Attached): void {
    const { clock, limits } = this.#deps;
    const end = Math.min(to.given + limits.writeBytesMax, to.flying.length);
    const piece = to.flying.bytes.subarray(to.given, end);
    to.given = end;
    to.isWriting = true;
    to.writeStartedAt = clock.now();
    to.sink.write(piece, (error) => {
      if (this.#attached !== to) return;
      if (error !== null) {
        this.#lost("write", error.message);
        return;
      }
      if (to.given < to.flying.length) {
        this.#writePiece(to);
        return;
      }
      to.isWriting = false;
      to.flying.reset();
      to.flyingMessages = 0;
      this.#wantFlush();
    });
  }

  #wantFlush(): void {
    if (this.#isFlushWanted) return;
    this.#isFlushWanted = true;
    this.#deps.wantFlush(this);
  }

  #beat(): Timer {
    const { clock, limits } = this.#deps;
    return clock.after(limits.readTimeoutMs / 3, () => {
      const to = this.#attached;
      if (to === null) return;
      if (to.isWriting && clock.now() - to.writeStartedAt > limits.writeTimeoutMs) {
        this.#lost("write", "i/o timeout"); // SW3
        return;
      }
      to.timer = this.#beat();
      if (to.isWriting || to.waiting.length > 0) return; // that will tell the peer that we live
      if (this.#deps.kind === "msgapp") writeAppendHeartbeat(to.waiting);
      else writeMessageHeartbeat(to.waiting);
      this.flush();
    });
  }

  #lost(action: string, reason: string): void {
    const { log, status, kind, metrics, remote, unreachable } = this.#deps;
    status.deactivate({ source: streamNames[kind], action, reason });
    this.#close();
    metrics.sentFailures.with(remote).value++;
    log.warn("lost TCP streaming connection with remote peer", this.#who());
    unreachable();
  }

  /** False when nothing was attached. */
  #close(): boolean {
    const from = this.#attached;
    if (from === null) return false;
    this.#attached = null; // SW4
    from.timer.cancel();
    from.sink.destroy();
    if (from.waitingMessages + from.flyingMessages > 0) this.#deps.unreachable();
    return true;
  }

  #who(): Record<string, string> {
    const { kind, local, remote } = this.#deps;
    return {
      "stream-writer-type": streamNames[kind],
      "local-member-id": local,
      "remote-peer-id": remote,
    };
  }
}

const initialBytes = 1_024;
