/**
 * What the client sends on one connection: frames, judged in order and acted on.
 *
 * IN1  After a connection error no further frame is read.
 * IN2  Every header block is decoded, also of refused streams: the HPACK table must follow.
 * IN3  Every DATA byte, padding too, counts against both receive windows.
 * IN4  `lastStreamId` is the highest stream the client opened; it never goes back.
 */
import type { Connection } from "./connection.ts";
import {
  frameFlag,
  frameHeaderBytes,
  frameType,
  h2Error,
  readU32,
  streamIdMax,
  windowBytesMax,
  writeSettingsAck,
  writeWindowUpdate,
} from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import type { FrameTaker } from "./frame-reader.ts";
import { abuse } from "./guard.ts";
import { HeaderReader } from "./header-reader.ts";
import { applySettings } from "./peer-settings.ts";
import type { Stream } from "./stream.ts";

export class Inbound implements FrameTaker {
  /** IN4. 0 before the first one. */
  lastStreamId = 0;

  private readonly connection: Connection;
  private readonly frames: FrameReader;
  private readonly headers: HeaderReader;
  private receiveWindow: number;
  private receivedSinceUpdate = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    this.frames = new FrameReader(this);
    this.headers = new HeaderReader(connection.limits, (code, debug) => {
      connection.fail(code, debug);
    });
    this.receiveWindow = connection.limits.connectionWindowBytes;
  }

  get over(): boolean {
    return this.connection.over;
  }

  fail(code: number, debug: string): void {
    this.connection.fail(code, debug);
  }

  /** Takes what the socket read; the bytes are not kept. */
  receive(bytes: Uint8Array): void {
    this.frames.receive(bytes);
  }

  /** Nothing more is read (IN1). */
  release(): void {
    this.frames.release();
    this.headers.release();
  }

  /** One whole frame, its header at `at`. */
  onFrame(bytes: Uint8Array, at: number, length: number): void {
    const connection = this.connection;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const id = readU32(bytes, at + 5) & streamIdMax;
    const body = at + frameHeaderBytes;
    const block = this.headers.streamId;
    if (block !== 0 && (type !== frameType.continuation || id !== block)) {
      this.fail(h2Error.protocol, "header block interrupted");
      return;
    }
    if (!connection.vitals.isGreeted && type !== frameType.settings) {
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
        connection.calm(connection.guard.count(abuse.ignored));
    }
  }

  /** The header block for stream `id` is whole (IN2). */
  private onBlock(id: number): void {
    const connection = this.connection;
    if (id <= this.lastStreamId) {
      this.onTrailers(id);
      return;
    }
    const head = this.headers.readHead();
    // After the second GOAWAY: not processed, the client was told to try elsewhere.
    if (head === -1 || connection.drainPhase === 2) return;
    this.lastStreamId = id;
    if (typeof head === "number") connection.reject(id, head);
    else connection.openStream(id, head, this.headers.endsStream);
  }

  private onTrailers(id: number): void {
    const connection = this.connection;
    const areGood = this.headers.readTrailers();
    if (areGood === -1) return;
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      this.onLateFrame(id, true);
    } else if (stream.remoteClosed) {
      this.fail(h2Error.streamClosed, "HEADERS on a half-closed stream");
    } else if (!this.headers.endsStream || !areGood) {
      connection.resetStream(stream, h2Error.protocol);
    } else if (stream.head.contentLength >= 0 && stream.bodyBytes !== stream.head.contentLength) {
      connection.resetStream(stream, h2Error.protocol);
    } else {
      stream.remoteClosed = true;
      connection.endRemote(stream);
    }
  }

  /** A frame for a stream that is not there any more. */
  private onLateFrame(id: number, isHeaders: boolean): void {
    const connection = this.connection;
    const ended = connection.closedStreams.find(id);
    if (ended === "ours" || connection.drainPhase === 2) return;
    if (isHeaders) {
      const known = ended === "theirs";
      this.fail(known ? h2Error.streamClosed : h2Error.protocol, "HEADERS on a closed stream");
      return;
    }
    connection.reject(id, h2Error.streamClosed);
  }

  // ---- DATA

  private onData(bytes: Uint8Array, at: number, length: number, flags: number, id: number): void {
    const connection = this.connection;
    if (id === 0 || id > this.lastStreamId) {
      if (id !== 0 && connection.drainPhase === 2 && (id & 1) === 1) return;
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
    const stream = connection.streams.get(id);
    if (stream === undefined) {
      this.onLateFrame(id, false);
      return;
    }
    if (stream.remoteClosed) {
      connection.resetStream(stream, h2Error.streamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      connection.resetStream(stream, h2Error.flowControl);
      return;
    }
    const isLast = (flags & frameFlag.endStream) !== 0;
    const isEmpty = start === end && !isLast;
    if (isEmpty && connection.calm(connection.guard.count(abuse.emptyData))) return;
    stream.bodyBytes += end - start;
    const expected = stream.head.contentLength;
    if (expected >= 0) {
      const wrong = isLast ? stream.bodyBytes !== expected : stream.bodyBytes > expected;
      if (wrong) {
        connection.resetStream(stream, h2Error.protocol);
        return;
      }
    }
    stream.remoteClosed = isLast;
    if (end > start) stream.onData(bytes, start, end);
    if (stream.closed) return;
    if (isLast) connection.endRemote(stream);
    else this.reopenStreamWindow(stream, length);
  }

  /** IN3. The connection's window reopens on receipt: one slow stream must not stop the others. */
  private countReceived(length: number): boolean {
    const connection = this.connection;
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) {
      this.fail(h2Error.flowControl, "connection window exceeded");
      return false;
    }
    this.receivedSinceUpdate += length;
    if (this.receivedSinceUpdate * 2 >= connection.limits.connectionWindowBytes) {
      writeWindowUpdate(connection.outbound.out, 0, this.receivedSinceUpdate);
      this.receiveWindow += this.receivedSinceUpdate;
      this.receivedSinceUpdate = 0;
      connection.outbound.touch();
    }
    return true;
  }

  private reopenStreamWindow(stream: Stream, length: number): void {
    const connection = this.connection;
    stream.receivedSinceUpdate += length;
    if (stream.receivedSinceUpdate * 2 < connection.limits.streamWindowBytes) return;
    writeWindowUpdate(connection.outbound.out, stream.id, stream.receivedSinceUpdate);
    stream.receiveWindow += stream.receivedSinceUpdate;
    stream.receivedSinceUpdate = 0;
    connection.outbound.touch();
  }

  // ---- the other frames

  private onPriority(bytes: Uint8Array, at: number, length: number, id: number): void {
    const connection = this.connection;
    if (id === 0) {
      this.fail(h2Error.protocol, "PRIORITY on stream 0");
    } else if (length !== 5) {
      connection.streamError(id, h2Error.frameSize);
    } else if ((readU32(bytes, at) & streamIdMax) === id) {
      connection.streamError(id, h2Error.protocol);
    } else {
      connection.calm(connection.guard.count(abuse.ignored));
    }
  }

  private onRstStream(length: number, id: number): void {
    const connection = this.connection;
    if (length !== 4) {
      this.fail(h2Error.frameSize, "RST_STREAM length");
    } else if (id === 0 || id > this.lastStreamId) {
      if (id !== 0 && connection.drainPhase === 2) return;
      this.fail(h2Error.protocol, "RST_STREAM on an idle stream");
    } else {
      if (connection.calm(connection.guard.count(abuse.resets))) return;
      const stream = connection.streams.get(id);
      if (stream !== undefined) connection.closeStream(stream, false);
    }
  }

  private onSettings(
    bytes: Uint8Array,
    at: number,
    length: number,
    flags: number,
    id: number,
  ): void {
    const connection = this.connection;
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
      connection.calm(connection.guard.count(abuse.settings));
      return;
    }
    connection.vitals.isGreeted = true;
    if (connection.calm(connection.guard.count(abuse.settings))) return;
    const error = applySettings(bytes, at, at + length, connection);
    if (error !== h2Error.noError) {
      this.fail(error, "SETTINGS value");
      return;
    }
    writeSettingsAck(connection.outbound.out);
    connection.outbound.touch();
  }

  private onPing(bytes: Uint8Array, at: number, length: number, flags: number, id: number): void {
    const connection = this.connection;
    if (id !== 0) {
      this.fail(h2Error.protocol, "PING on a stream");
    } else if (length !== 8) {
      this.fail(h2Error.frameSize, "PING length");
    } else if ((flags & frameFlag.ack) !== 0) {
      connection.pingReturned(bytes[at + 7]!);
    } else {
      connection.answerPing(bytes, at);
      connection.calm(
        connection.guard.countPing(connection.clock.now(), connection.streams.size > 0),
      );
    }
  }

  private onWindowUpdate(bytes: Uint8Array, at: number, length: number, id: number): void {
    const connection = this.connection;
    if (length !== 4) {
      this.fail(h2Error.frameSize, "WINDOW_UPDATE length");
      return;
    }
    if (connection.calm(connection.guard.countWindowUpdate())) return;
    const increment = readU32(bytes, at) & windowBytesMax;
    if (id === 0) {
      if (increment === 0) this.fail(h2Error.protocol, "WINDOW_UPDATE of 0");
      else if (!connection.outbound.widen(increment)) {
        this.fail(h2Error.flowControl, "connection window overflow");
      }
      return;
    }
    if (id > this.lastStreamId) {
      if (connection.drainPhase === 2) return;
      this.fail(h2Error.protocol, "WINDOW_UPDATE on an idle stream");
      return;
    }
    const stream = connection.streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (increment === 0) {
      connection.resetStream(stream, h2Error.protocol);
    } else if (stream.sendWindow > windowBytesMax) {
      connection.resetStream(stream, h2Error.flowControl);
    } else if (stream.queuedBytes > 0) {
      connection.outbound.schedule(stream);
    }
  }
}
