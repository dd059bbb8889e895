/**
 * One HTTP/2 connection, server side: what it holds, its streams' ends and its own. No socket
 * inside: bytes come in through `inbound.ts` and leave through `outbound.ts`.
 *
 * C1  After a connection error nothing more is read or answered.
 * C2  A stream is in `streams` from its HEADERS until both halves ended or it was reset; it is told
 *     of its end exactly once.
 * C3  What a client can make us hold or do is bounded by `limits`; `sweep` runs once a second.
 */
import type { Clock, Timer, Turn } from "../base/ports.ts";
import {
  h2Error,
  setting,
  streamIdMax,
  windowBytesDefault,
  writeGoAway,
  writePing,
  writeRstStream,
  writeSettings,
  writeWindowUpdate,
} from "./frame.ts";
import { abuse, AbuseGuard, ClosedStreams } from "./guard.ts";
import { Inbound } from "./inbound.ts";
import type { Http2Limits } from "./limits.ts";
import type { BufferPool, Sink } from "./outbound.ts";
import { Outbound } from "./outbound.ts";
import type { RequestHead } from "./request.ts";
import type { Stream } from "./stream.ts";
import { Vitals } from "./vitals.ts";

/** What takes requests. */
export interface Dispatcher {
  /** Makes the stream for a request; `stream.start()` follows once it is registered. */
  accept(connection: Connection, id: number, head: RequestHead): Stream;
  /** The connection is over: its socket is gone or is being let go. */
  connectionOver(connection: Connection): void;
}

export interface ConnectionOptions {
  readonly id: number;
  readonly remote: string;
  readonly commonName: string;
  readonly limits: Http2Limits;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly sink: Sink;
  /** Shared by all connections. */
  readonly pool: BufferPool;
  readonly dispatcher: Dispatcher;
}

const pingKeepAlive = new Uint8Array([0x71, 0x75, 0x6f, 0x72, 0x61, 0, 0, 1]);
const pingDrain = new Uint8Array([0x71, 0x75, 0x6f, 0x72, 0x61, 0, 0, 2]);

export class Connection {
  readonly id: number;
  readonly remote: string;
  readonly commonName: string;
  readonly limits: Http2Limits;
  readonly outbound: Outbound;
  readonly streams = new Map<number, Stream>();
  /** Bytes of unfinished messages its streams hold. */
  heldBytes = 0;
  /** Why it ended, for logs; "" while it lives. */
  endReason = "";
  over = false;

  readonly clock: Clock;
  readonly guard: AbuseGuard;
  readonly vitals: Vitals;
  readonly closedStreams = new ClosedStreams();
  /** 0 = serving, 1 = first GOAWAY sent, 2 = second one: new streams are ignored. */
  drainPhase = 0;

  private readonly sink: Sink;
  private readonly dispatcher: Dispatcher;
  private readonly inbound: Inbound;
  /** DATA left since the last PING. */
  private hasSentData = false;
  private answerTimer: Timer | null = null;
  private readonly answerRun = (): void => {
    this.answerTimer = null;
    if (this.outbound.out.length > 0) this.outbound.touch();
  };
  /** Answered while the client's half is open: reset with NO_ERROR at the end of the turn. */
  private readonly unread: Stream[] = [];

  constructor(options: ConnectionOptions) {
    this.id = options.id;
    this.remote = options.remote;
    this.commonName = options.commonName;
    this.limits = options.limits;
    this.sink = options.sink;
    this.clock = options.clock;
    this.dispatcher = options.dispatcher;
    this.guard = new AbuseGuard(this.limits);
    this.inbound = new Inbound(this);
    this.outbound = new Outbound({
      ...{ sink: options.sink, turn: options.turn, limits: this.limits, pool: options.pool },
      beforeFlush: () => {
        this.beforeFlush();
      },
    });
    this.vitals = new Vitals(this.limits, this.outbound, this.clock.now());
    this.greet();
  }

  private greet(): void {
    const settings: [number, number][] = [
      [setting.initialWindowSize, this.limits.streamWindowBytes],
      [setting.maxHeaderListSize, this.limits.headerListBytesMax],
    ];
    if (this.limits.streamsMax < 0xffffffff) {
      settings.push([setting.maxConcurrentStreams, this.limits.streamsMax]);
    }
    writeSettings(this.outbound.out, settings);
    const extra = this.limits.connectionWindowBytes - windowBytesDefault;
    if (extra > 0) writeWindowUpdate(this.outbound.out, 0, extra);
    this.outbound.touch();
  }

  /** Takes what the socket read; the bytes are not kept. */
  receive(bytes: Uint8Array): void {
    if (this.over) return;
    this.vitals.hasRead = true;
    this.inbound.receive(bytes);
  }

  // ---- streams

  /** A request; `isWhole`: END_STREAM came with its head. */
  openStream(id: number, head: RequestHead, isWhole: boolean): void {
    const limits = this.limits;
    const count = this.streams.size;
    if (count >= limits.streamsMax) {
      this.reject(id, h2Error.refusedStream);
      return;
    }
    if (
      this.heldBytes + (count + 1) * limits.streamCostBytes > limits.receiveBytesMax ||
      this.outbound.queuedBytes > limits.pendingConnectionBytesMax
    ) {
      this.reject(id, h2Error.enhanceYourCalm);
      return;
    }
    if (isWhole && head.contentLength > 0) {
      this.reject(id, h2Error.protocol);
      return;
    }
    const stream = this.dispatcher.accept(this, id, head);
    this.streams.set(id, stream);
    stream.remoteClosed = isWhole;
    stream.start();
    if (isWhole && !stream.closed) this.endRemote(stream);
  }

  /** END_STREAM came, and the body was as announced. */
  endRemote(stream: Stream): void {
    stream.onRemoteEnd();
    if (stream.localClosed) this.closeStream(stream, false);
  }

  /** A stream's own answer ended: END_STREAM was written. */
  localEnd(stream: Stream): void {
    stream.localClosed = true;
    if (stream.remoteClosed) this.closeStream(stream, true);
    else this.unread.push(stream);
  }

  /** Both halves ended, or the client reset it (C2). */
  closeStream(stream: Stream, byUs: boolean): void {
    if (stream.closed) return;
    stream.closed = true;
    this.streams.delete(stream.id);
    // Once the client ended its half, nothing of it can be under way.
    this.closedStreams.add(stream.id, byUs && !stream.remoteClosed);
    if (stream.queuedBytes > 0) stream.dropQueue();
    stream.onClosed();
    if (this.streams.size === 0) this.onIdle();
  }

  /** Ends a stream with RST_STREAM. */
  resetStream(stream: Stream, code: number): void {
    if (stream.closed) return;
    const isFault = code !== h2Error.noError && code !== h2Error.cancel;
    writeRstStream(this.outbound.out, stream.id, code);
    this.outbound.touch();
    this.closeStream(stream, true);
    if (isFault) this.calm(this.guard.count(abuse.rejected));
  }

  /** RST_STREAM for a stream that is not open here. */
  reject(id: number, code: number): void {
    writeRstStream(this.outbound.out, id, code);
    this.outbound.touch();
    this.closedStreams.add(id, true);
    this.calm(this.guard.count(abuse.rejected));
  }

  /** RST_STREAM for a stream in whatever state. */
  streamError(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream !== undefined) this.resetStream(stream, code);
    else this.reject(id, code);
  }

  private beforeFlush(): void {
    if (this.outbound.dataBytes > 0) {
      this.guard.sent(this.outbound.dataBytes);
      this.hasSentData = true;
      this.outbound.dataBytes = 0;
    }
    for (const stream of this.unread) {
      if (!stream.closed) this.resetStream(stream, h2Error.noError);
    }
    this.unread.length = 0;
  }

  // ---- ends of the connection

  /** True (and the connection fails) when `text` names an abuse. */
  calm(text: string): boolean {
    if (text === "") return false;
    this.fail(h2Error.enhanceYourCalm, text);
    return true;
  }

  /** A connection error: GOAWAY, then the end (C1). */
  fail(code: number, debug: string): void {
    if (this.over) return;
    writeGoAway(this.outbound.out, this.inbound.lastStreamId, code, debug);
    this.outbound.end();
    this.finish(debug);
  }

  /** The socket is gone. */
  disconnected(reason: string): void {
    if (this.over) {
      this.outbound.stop();
      return;
    }
    this.outbound.stop();
    this.finish(reason);
  }

  private finish(reason: string): void {
    this.over = true;
    this.answerTimer?.cancel();
    this.endReason = reason;
    for (const stream of [...this.streams.values()]) this.closeStream(stream, true);
    this.inbound.release();
    this.dispatcher.connectionOver(this);
  }

  /** No new streams; ends once those under way are done. */
  drain(): void {
    if (this.over || this.drainPhase > 0) return;
    this.drainPhase = 1;
    writeGoAway(this.outbound.out, streamIdMax, h2Error.noError, "graceful_stop");
    writePing(this.outbound.out, false, pingDrain, 0);
    this.outbound.touch();
  }

  /**
   * A client that measures its bandwidth pings after every piece of DATA it gets: alone, each
   * answer would cost both sides a socket call. So the first after DATA waits for company.
   */
  answerPing(bytes: Uint8Array, at: number): void {
    writePing(this.outbound.out, true, bytes, at);
    if (this.hasSentData) {
      this.hasSentData = false;
      this.answerTimer ??= this.clock.after(this.limits.pingAnswerDelayMs, this.answerRun);
    } else {
      this.outbound.touch();
    }
  }

  /** A PING of ours came back; `lastByte` tells which. */
  pingReturned(lastByte: number): void {
    if (this.drainPhase === 1 && lastByte === pingDrain[7]) this.drainSecond();
  }

  /** The client has seen the first GOAWAY: whatever it still opens came too late. */
  private drainSecond(): void {
    this.drainPhase = 2;
    writeGoAway(this.outbound.out, this.inbound.lastStreamId, h2Error.noError, "graceful_stop");
    this.outbound.touch();
    for (const stream of [...this.streams.values()]) stream.onDrain();
    if (this.streams.size === 0) this.onIdle();
  }

  private onIdle(): void {
    this.vitals.becameIdle();
    if (this.drainPhase !== 2 || this.over) return;
    this.outbound.end();
    this.finish("drained");
  }

  /** Once a second: deadlines and allowances (C3). */
  sweep(now: number): void {
    if (this.over) return;
    this.guard.sweep();
    const verdict = this.vitals.look(now, this.streams.size);
    if (verdict === "fine") return;
    if (verdict === "drain") this.drain();
    else if (verdict !== "ping") this.abandon(verdict.end);
    else {
      writePing(this.outbound.out, false, pingKeepAlive, 0);
      this.outbound.touch();
    }
  }

  /** Ends without a word: the peer does not read, or is not there. */
  private abandon(reason: string): void {
    this.sink.destroy();
    this.disconnected(reason);
  }
}
