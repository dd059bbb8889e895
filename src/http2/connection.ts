/**
 * One HTTP/2 connection, server side: bytes in, calls to streams, frames out. No socket inside.
 *
 * C1  Frames are judged in order; after a connection error nothing more is read or answered.
 * C2  Every header block is decoded, also of refused streams: the HPACK table must follow.
 * C3  A stream is in `streams` from its HEADERS until both halves ended or it was reset; it is told
 *     of its end exactly once.
 * C4  `lastStreamId` is the highest stream the client opened; it never goes back.
 * C5  Every DATA byte, padding too, counts against both receive windows.
 * C6  What a client can make us hold or do is bounded by `limits`; `sweep` runs once a second.
 */
import type { Clock, Turn } from "../base/ports.ts";
import {
  frameFlag,
  frameHeaderBytes,
  frameType,
  h2Error,
  readU32,
  setting,
  streamIdMax,
  windowBytesDefault,
  windowBytesMax,
  writeGoAway,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frame.ts";
import { abuse, AbuseGuard, ClosedStreams } from "./guard.ts";
import { FrameReader } from "./frame-reader.ts";
import type { FrameTaker } from "./frame-reader.ts";
import { HeaderReader } from "./header-reader.ts";
import type { Http2Limits } from "./limits.ts";
import type { BufferPool, Sink } from "./outbound.ts";
import { Outbound } from "./outbound.ts";
import { applySettings } from "./peer-settings.ts";
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

export class Connection implements FrameTaker {
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

  private readonly sink: Sink;
  private readonly clock: Clock;
  private readonly dispatcher: Dispatcher;
  private readonly guard: AbuseGuard;
  private readonly frames: FrameReader;
  private readonly headers: HeaderReader;
  private readonly vitals: Vitals;
  private readonly closedStreams = new ClosedStreams();
  /** Answered while the client's half is open: reset with NO_ERROR at the end of the turn. */
  private readonly unread: Stream[] = [];

  private lastStreamId = 0;
  private receiveWindow: number;
  private receivedSinceUpdate = 0;

  /** 0 = serving, 1 = first GOAWAY sent, 2 = second one: new streams are ignored. */
  private drainPhase = 0;

  constructor(options: ConnectionOptions) {
    this.id = options.id;
    this.remote = options.remote;
    this.commonName = options.commonName;
    this.limits = options.limits;
    this.sink = options.sink;
    this.clock = options.clock;
    this.dispatcher = options.dispatcher;
    this.guard = new AbuseGuard(this.limits);
    this.frames = new FrameReader(this);
    this.headers = new HeaderReader(this.limits, (code, debug) => {
      this.fail(code, debug);
    });
    this.outbound = new Outbound({
      ...{ sink: options.sink, turn: options.turn, limits: this.limits, pool: options.pool },
      beforeFlush: () => {
        this.beforeFlush();
      },
    });
    this.receiveWindow = this.limits.connectionWindowBytes;
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

  // ---- input

  /** Takes what the socket read; the bytes are not kept. */
  receive(bytes: Uint8Array): void {
    if (this.over) return;
    this.vitals.hasRead = true;
    this.frames.receive(bytes);
  }

  /** One whole frame, its header at `at`. */
  onFrame(bytes: Uint8Array, at: number, length: number): void {
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const id = readU32(bytes, at + 5) & streamIdMax;
    const body = at + frameHeaderBytes;
    const block = this.headers.streamId;
    if (block !== 0 && (type !== frameType.continuation || id !== block)) {
      this.fail(h2Error.protocol, "header block interrupted");
      return;
    }
    if (!this.vitals.isGreeted && type !== frameType.settings) {
      this.fail(h2Error.protocol, "first frame must be SETTINGS");
      return;
    }
    switch (type) {
      case frameType.data:
        this.onData(bytes, body, length, flags, id);
        break;
      case frameType.headers:
        if (this.headers.begin(bytes, body, length, flags, id)) this.onBlock(id);
        break;
      case frameType.priority:
        this.onPriority(bytes, body, length, id);
        break;
      case frameType.rstStream:
        this.onRstStream(length, id);
        break;
      case frameType.settings:
        this.onSettings(bytes, body, length, flags, id);
        break;
      case frameType.ping:
        this.onPing(bytes, body, length, flags, id);
        break;
      case frameType.goAway:
        if (id !== 0) this.fail(h2Error.protocol, "GOAWAY on a stream");
        else if (length < 8) this.fail(h2Error.frameSize, "GOAWAY too short");
        break;
      case frameType.windowUpdate:
        this.onWindowUpdate(bytes, body, length, id);
        break;
      case frameType.continuation:
        if (this.headers.continue(bytes, body, length, flags)) this.onBlock(id);
        break;
      case frameType.pushPromise:
        this.fail(h2Error.protocol, "PUSH_PROMISE from a client");
        break;
      default:
        this.calm(this.guard.count(abuse.ignored));
    }
  }

  // ---- requests

  /** The header block for stream `id` is whole (C2). */
  private onBlock(id: number): void {
    if (id <= this.lastStreamId) {
      this.onTrailers(id);
      return;
    }
    const head = this.headers.readHead();
    // After the second GOAWAY: not processed, the client was told to try elsewhere.
    if (head === -1 || this.drainPhase === 2) return;
    this.lastStreamId = id;
    if (typeof head === "number") this.reject(id, head);
    else this.openStream(id, head);
  }

  private openStream(id: number, head: RequestHead): void {
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
    if (this.headers.endsStream && head.contentLength > 0) {
      this.reject(id, h2Error.protocol);
      return;
    }
    const stream = this.dispatcher.accept(this, id, head);
    this.streams.set(id, stream);
    stream.remoteClosed = this.headers.endsStream;
    stream.start();
    if (this.headers.endsStream && !stream.closed) this.endRemote(stream);
  }

  private onTrailers(id: number): void {
    const areGood = this.headers.readTrailers();
    if (areGood === -1) return;
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.onLateFrame(id, true);
    } else if (stream.remoteClosed) {
      this.fail(h2Error.streamClosed, "HEADERS on a half-closed stream");
    } else if (!this.headers.endsStream || !areGood) {
      this.resetStream(stream, h2Error.protocol);
    } else if (stream.head.contentLength >= 0 && stream.bodyBytes !== stream.head.contentLength) {
      this.resetStream(stream, h2Error.protocol);
    } else {
      stream.remoteClosed = true;
      this.endRemote(stream);
    }
  }

  private endRemote(stream: Stream): void {
    stream.onRemoteEnd();
    if (stream.localClosed) this.closeStream(stream, false);
  }

  /** A frame for a stream that is not there any more. */
  private onLateFrame(id: number, isHeaders: boolean): void {
    const ended = this.closedStreams.find(id);
    if (ended === "ours" || this.drainPhase === 2) return;
    if (isHeaders) {
      const known = ended === "theirs";
      this.fail(known ? h2Error.streamClosed : h2Error.protocol, "HEADERS on a closed stream");
      return;
    }
    this.reject(id, h2Error.streamClosed);
  }

  // ---- DATA

  private onData(bytes: Uint8Array, at: number, length: number, flags: number, id: number): void {
    if (id === 0 || id > this.lastStreamId) {
      if (id !== 0 && this.drainPhase === 2 && (id & 1) === 1) return;
      this.fail(h2Error.protocol, "DATA on an idle stream");
      return;
    }
    if (!this.countReceived(length)) return;
    let start = at;
    let end = at + length;
    if ((flags & frameFlag.padded) !== 0) {
      if (length === 0 || bytes[at]! >= length) {
        this.fail(length === 0 ? h2Error.frameSize : h2Error.protocol, "DATA padding");
        return;
      }
      end -= bytes[at]!;
      start++;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.onLateFrame(id, false);
      return;
    }
    if (stream.remoteClosed) {
      this.resetStream(stream, h2Error.streamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.resetStream(stream, h2Error.flowControl);
      return;
    }
    const isLast = (flags & frameFlag.endStream) !== 0;
    if (start === end && !isLast && this.calm(this.guard.count(abuse.emptyData))) return;
    stream.bodyBytes += end - start;
    const expected = stream.head.contentLength;
    if (expected >= 0) {
      const wrong = isLast ? stream.bodyBytes !== expected : stream.bodyBytes > expected;
      if (wrong) {
        this.resetStream(stream, h2Error.protocol);
        return;
      }
    }
    stream.remoteClosed = isLast;
    if (end > start) stream.onData(bytes, start, end);
    if (stream.closed) return;
    if (isLast) this.endRemote(stream);
    else this.reopenStreamWindow(stream, length);
  }

  /** C5. The connection's window reopens on receipt: one slow stream must not stop the others. */
  private countReceived(length: number): boolean {
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) {
      this.fail(h2Error.flowControl, "connection window exceeded");
      return false;
    }
    this.receivedSinceUpdate += length;
    if (this.receivedSinceUpdate * 2 >= this.limits.connectionWindowBytes) {
      writeWindowUpdate(this.outbound.out, 0, this.receivedSinceUpdate);
      this.receiveWindow += this.receivedSinceUpdate;
      this.receivedSinceUpdate = 0;
      this.outbound.touch();
    }
    return true;
  }

  private reopenStreamWindow(stream: Stream, length: number): void {
    stream.receivedSinceUpdate += length;
    if (stream.receivedSinceUpdate * 2 < this.limits.streamWindowBytes) return;
    writeWindowUpdate(this.outbound.out, stream.id, stream.receivedSinceUpdate);
    stream.receiveWindow += stream.receivedSinceUpdate;
    stream.receivedSinceUpdate = 0;
    this.outbound.touch();
  }

  // ---- the other frames

  private onPriority(bytes: Uint8Array, at: number, length: number, id: number): void {
    if (id === 0) {
      this.fail(h2Error.protocol, "PRIORITY on stream 0");
    } else if (length !== 5) {
      this.streamError(id, h2Error.frameSize);
    } else if ((readU32(bytes, at) & streamIdMax) === id) {
      this.streamError(id, h2Error.protocol);
    } else {
      this.calm(this.guard.count(abuse.ignored));
    }
  }

  private onRstStream(length: number, id: number): void {
    if (length !== 4) {
      this.fail(h2Error.frameSize, "RST_STREAM length");
    } else if (id === 0 || id > this.lastStreamId) {
      if (id !== 0 && this.drainPhase === 2) return;
      this.fail(h2Error.protocol, "RST_STREAM on an idle stream");
    } else {
      if (this.calm(this.guard.count(abuse.resets))) return;
      const stream = this.streams.get(id);
      if (stream !== undefined) this.closeStream(stream, false);
    }
  }

  private onSettings(
    bytes: Uint8Array,
    at: number,
    length: number,
    flags: number,
    id: number,
  ): void {
    const isAck = (flags & frameFlag.ack) !== 0;
    if (id !== 0) {
      this.fail(h2Error.protocol, "SETTINGS on a stream");
      return;
    }
    if (length % 6 !== 0 || (isAck && length !== 0)) {
      this.fail(h2Error.frameSize, "SETTINGS length");
      return;
    }
    if (isAck) {
      this.calm(this.guard.count(abuse.settings));
      return;
    }
    this.vitals.isGreeted = true;
    if (this.calm(this.guard.count(abuse.settings))) return;
    const error = applySettings(bytes, at, at + length, this);
    if (error !== h2Error.noError) {
      this.fail(error, "SETTINGS value");
      return;
    }
    writeSettingsAck(this.outbound.out);
    this.outbound.touch();
  }

  private onPing(bytes: Uint8Array, at: number, length: number, flags: number, id: number): void {
    if (id !== 0) {
      this.fail(h2Error.protocol, "PING on a stream");
    } else if (length !== 8) {
      this.fail(h2Error.frameSize, "PING length");
    } else if ((flags & frameFlag.ack) !== 0) {
      if (this.drainPhase === 1 && bytes[at + 7] === pingDrain[7]) this.drainSecond();
    } else {
      writePing(this.outbound.out, true, bytes, at);
      this.outbound.touch();
      this.calm(this.guard.countPing(this.clock.now(), this.streams.size > 0));
    }
  }

  private onWindowUpdate(bytes: Uint8Array, at: number, length: number, id: number): void {
    if (length !== 4) {
      this.fail(h2Error.frameSize, "WINDOW_UPDATE length");
      return;
    }
    if (this.calm(this.guard.countWindowUpdate())) return;
    const increment = readU32(bytes, at) & windowBytesMax;
    if (id === 0) {
      if (increment === 0) this.fail(h2Error.protocol, "WINDOW_UPDATE of 0");
      else if (!this.outbound.widen(increment)) {
        this.fail(h2Error.flowControl, "connection window overflow");
      }
      return;
    }
    if (id > this.lastStreamId) {
      if (this.drainPhase !== 2) this.fail(h2Error.protocol, "WINDOW_UPDATE on an idle stream");
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (increment === 0) this.resetStream(stream, h2Error.protocol);
    else if (stream.sendWindow > windowBytesMax) this.resetStream(stream, h2Error.flowControl);
    else if (stream.queuedBytes > 0) this.outbound.schedule(stream);
  }

  // ---- ends of streams

  /** A stream's own answer ended: END_STREAM was written. */
  localEnd(stream: Stream): void {
    stream.localClosed = true;
    if (stream.remoteClosed) this.closeStream(stream, true);
    else this.unread.push(stream);
  }

  /** Both halves ended, or the client reset it (C3). */
  private closeStream(stream: Stream, byUs: boolean): void {
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
  private reject(id: number, code: number): void {
    writeRstStream(this.outbound.out, id, code);
    this.outbound.touch();
    this.closedStreams.add(id, true);
    this.calm(this.guard.count(abuse.rejected));
  }

  private streamError(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream !== undefined) this.resetStream(stream, code);
    else this.reject(id, code);
  }

  private beforeFlush(): void {
    if (this.outbound.dataBytes > 0) {
      this.guard.sent(this.outbound.dataBytes);
      this.outbound.dataBytes = 0;
    }
    for (const stream of this.unread) {
      if (!stream.closed) this.resetStream(stream, h2Error.noError);
    }
    this.unread.length = 0;
  }

  // ---- ends of the connection

  /** True (and the connection fails) when `text` names an abuse. */
  private calm(text: string): boolean {
    if (text === "") return false;
    this.fail(h2Error.enhanceYourCalm, text);
    return true;
  }

  /** A connection error: GOAWAY, then the end (C1). */
  fail(code: number, debug: string): void {
    if (this.over) return;
    writeGoAway(this.outbound.out, this.lastStreamId, code, debug);
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
    this.endReason = reason;
    for (const stream of [...this.streams.values()]) this.closeStream(stream, true);
    this.frames.release();
    this.headers.release();
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

  /** The client has seen the first GOAWAY: whatever it still opens came too late. */
  private drainSecond(): void {
    this.drainPhase = 2;
    writeGoAway(this.outbound.out, this.lastStreamId, h2Error.noError, "graceful_stop");
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

  /** Once a second: deadlines and allowances (C6). */
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
