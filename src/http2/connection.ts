/**
 * One HTTP/2 connection, server side: bytes in, calls to streams, frames out. No socket inside.
 *
 * C1  Frames are judged in order; after a connection error nothing more is read or answered.
 * C2  Every header block is decoded, also of refused streams: the HPACK table must follow.
 * C3  A stream is in `streams` from its HEADERS until both halves ended or it was reset; it is told
 *     of its end exactly once.
 * C4  Between HEADERS without END_HEADERS and its last CONTINUATION no other frame is taken.
 * C5  Every DATA byte, padding too, counts against both receive windows.
 * C6  What a client can make us hold or do is bounded by `limits`; `sweep` runs once a second.
 */
import type { Clock, Turn } from "../base/ports.ts";
import {
  frameBytesDefault,
  frameBytesLargest,
  frameFlag,
  frameHeaderBytes,
  frameType,
  h2Error,
  preface,
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
import { HeaderList, HpackDecoder } from "./hpack.ts";
import type { Http2Limits } from "./limits.ts";
import type { Sink } from "./outbound.ts";
import { Outbound } from "./outbound.ts";
import type { RequestHead } from "./request.ts";
import { areTrailers, buildHead, HeadCache } from "./request.ts";
import type { Stream } from "./stream.ts";

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

  private readonly sink: Sink;
  private readonly clock: Clock;
  private readonly dispatcher: Dispatcher;
  private readonly guard: AbuseGuard;
  private readonly decoder = new HpackDecoder();
  private readonly list: HeaderList;
  private readonly heads = new HeadCache();
  private readonly closedStreams = new ClosedStreams();
  /** Answered while the client's half is open: reset with NO_ERROR at the end of the turn. */
  private readonly unread: Stream[] = [];

  private prefaceSeen = 0;
  private settingsSeen = false;
  /** Bytes of a frame that has not wholly arrived. */
  private partial: Uint8Array | null = null;
  private partialLength = 0;
  /** The header block under way (C4); its stream, or 0. */
  private block: Uint8Array | null = null;
  private blockLength = 0;
  private blockStream = 0;
  private blockEndsStream = false;
  private continuations = 0;

  private lastStreamId = 0;
  private receiveWindow: number;
  private receivedSinceUpdate = 0;

  private readonly startedAt: number;
  private readSinceSweep = false;
  private lastReadAt: number;
  private pingSentAt = -1;
  private idleSince: number;
  private progressAt: number;
  private progressBytes = 0;
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
    this.list = new HeaderList(this.limits.headerListBytesMax, this.limits.headerCountMax);
    this.outbound = new Outbound(options.sink, options.turn, this.limits, () => {
      this.beforeFlush();
    });
    this.receiveWindow = this.limits.connectionWindowBytes;
    const now = this.clock.now();
    this.startedAt = now;
    this.lastReadAt = now;
    this.idleSince = now;
    this.progressAt = now;
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
    this.readSinceSweep = true;
    let at = 0;
    if (this.prefaceSeen < preface.length) {
      at = this.readPreface(bytes);
      if (at < 0) return;
    }
    const end = bytes.length;
    if (this.partialLength > 0) {
      at = this.completePartial(bytes, at);
      if (at < 0) return;
    }
    while (end - at >= frameHeaderBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (length > frameBytesDefault) {
        this.fail(h2Error.frameSize, "frame too large");
        return;
      }
      const next = at + frameHeaderBytes + length;
      if (next > end) break;
      this.onFrame(bytes, at, length);
      if (this.over) return;
      at = next;
    }
    if (at < end) this.keepPartial(bytes, at);
  }

  private readPreface(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.prefaceSeen < preface.length) {
      if (bytes[at] !== preface[this.prefaceSeen]) {
        this.fail(h2Error.protocol, "bad preface");
        return -1;
      }
      at++;
      this.prefaceSeen++;
    }
    return at;
  }

  private keepPartial(bytes: Uint8Array, at: number): void {
    const count = bytes.length - at;
    if (this.partial === null || this.partial.length < count) {
      this.partial = new Uint8Array(Math.max(count, 64));
    }
    this.partial.set(at === 0 ? bytes : bytes.subarray(at), 0);
    this.partialLength = count;
  }

  /** Adds to the frame kept from before; returns where to go on, or -1 when nothing is left. */
  private completePartial(bytes: Uint8Array, at: number): number {
    at = this.fillPartial(bytes, at, frameHeaderBytes);
    if (this.partialLength < frameHeaderBytes) return -1;
    const head = this.partial!;
    const length = (head[0]! << 16) | (head[1]! << 8) | head[2]!;
    if (length > frameBytesDefault) {
      this.fail(h2Error.frameSize, "frame too large");
      return -1;
    }
    at = this.fillPartial(bytes, at, frameHeaderBytes + length);
    if (this.partialLength < frameHeaderBytes + length) return -1;
    const frame = this.partial!;
    this.partial = null;
    this.partialLength = 0;
    this.onFrame(frame, 0, length);
    return this.over ? -1 : at;
  }

  private fillPartial(bytes: Uint8Array, at: number, wanted: number): number {
    const take = Math.min(wanted - this.partialLength, bytes.length - at);
    if (take <= 0) return at;
    if (this.partial!.length < wanted) {
      const wider = new Uint8Array(wanted);
      wider.set(this.partial!.subarray(0, this.partialLength));
      this.partial = wider;
    }
    this.partial!.set(bytes.subarray(at, at + take), this.partialLength);
    this.partialLength += take;
    return at + take;
  }

  /** One whole frame, its header at `at`. */
  private onFrame(bytes: Uint8Array, at: number, length: number): void {
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const id = readU32(bytes, at + 5) & streamIdMax;
    const body = at + frameHeaderBytes;
    if (this.blockStream !== 0 && (type !== frameType.continuation || id !== this.blockStream)) {
      this.fail(h2Error.protocol, "header block interrupted");
      return;
    }
    if (!this.settingsSeen && type !== frameType.settings) {
      this.fail(h2Error.protocol, "first frame must be SETTINGS");
      return;
    }
    switch (type) {
      case frameType.data:
        this.onData(bytes, body, length, flags, id);
        break;
      case frameType.headers:
        this.onHeaders(bytes, body, length, flags, id);
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
        this.onContinuation(bytes, body, length, flags, id);
        break;
      case frameType.pushPromise:
        this.fail(h2Error.protocol, "PUSH_PROMISE from a client");
        break;
      default:
        this.calm(this.guard.count(abuse.ignored));
    }
  }

  // ---- HEADERS and CONTINUATION

  private onHeaders(
    bytes: Uint8Array,
    at: number,
    length: number,
    flags: number,
    id: number,
  ): void {
    if ((id & 1) === 0) {
      this.fail(h2Error.protocol, "HEADERS on a stream not the client's");
      return;
    }
    let start = at;
    let end = at + length;
    if ((flags & frameFlag.padded) !== 0) {
      end -= length > 0 ? bytes[at]! : 0;
      start++;
    }
    let dependsOn = -1;
    if ((flags & frameFlag.priority) !== 0) {
      if (start + 5 <= at + length) dependsOn = readU32(bytes, start) & streamIdMax;
      start += 5;
    }
    if (start > end) {
      const tooShort = start > at + length;
      this.fail(tooShort ? h2Error.frameSize : h2Error.protocol, "HEADERS padding");
      return;
    }
    if (dependsOn === id) {
      this.fail(h2Error.protocol, "stream depends on itself");
      return;
    }
    this.blockEndsStream = (flags & frameFlag.endStream) !== 0;
    if ((flags & frameFlag.endHeaders) !== 0) {
      this.onBlock(bytes, start, end, id);
      return;
    }
    this.blockStream = id;
    this.blockLength = 0;
    this.continuations = 0;
    this.addToBlock(bytes, start, end);
  }

  private onContinuation(
    bytes: Uint8Array,
    at: number,
    length: number,
    flags: number,
    id: number,
  ): void {
    if (this.blockStream === 0) {
      this.fail(h2Error.protocol, "CONTINUATION without HEADERS");
      return;
    }
    if (++this.continuations > this.limits.continuationsMax) {
      this.fail(h2Error.enhanceYourCalm, "too_many_continuations");
      return;
    }
    if (!this.addToBlock(bytes, at, at + length)) return;
    if ((flags & frameFlag.endHeaders) === 0) return;
    const block = this.block!;
    this.block = null;
    this.blockStream = 0;
    this.onBlock(block, 0, this.blockLength, id);
  }

  private addToBlock(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.blockLength + (end - start);
    if (length > this.limits.headerBlockBytesMax) {
      this.fail(h2Error.enhanceYourCalm, "header block too large");
      return false;
    }
    if (this.block === null || this.block.length < length) {
      const wider = new Uint8Array(Math.max(length * 2, 1024));
      if (this.block !== null) wider.set(this.block.subarray(0, this.blockLength));
      this.block = wider;
    }
    this.block.set(bytes.subarray(start, end), this.blockLength);
    this.blockLength = length;
    return true;
  }

  /** One whole header block for stream `id` (C2). */
  private onBlock(bytes: Uint8Array, start: number, end: number, id: number): void {
    const generation = this.decoder.generation;
    let head = id > this.lastStreamId ? this.heads.find(bytes, start, end, generation) : null;
    if (head === null) {
      this.list.clear();
      if (!this.decoder.decode(bytes, start, end, this.list)) {
        this.fail(h2Error.compression, "header block does not decode");
        return;
      }
      if (id <= this.lastStreamId) {
        this.onTrailers(id);
        return;
      }
      if (this.drainPhase === 2) return; // told by GOAWAY: not processed, to be tried elsewhere
      this.lastStreamId = id;
      if (this.list.overflow) {
        this.reject(id, h2Error.frameSize);
        return;
      }
      head = buildHead(this.list.fields);
      if (head === null) {
        this.reject(id, h2Error.protocol);
        return;
      }
      if (this.decoder.generation === generation) {
        this.heads.keep(bytes, start, end, generation, head);
      }
    }
    if (this.drainPhase === 2) return;
    this.lastStreamId = id;
    this.openStream(id, head);
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
    if (this.blockEndsStream && head.contentLength > 0) {
      this.reject(id, h2Error.protocol);
      return;
    }
    const stream = this.dispatcher.accept(this, id, head);
    this.streams.set(id, stream);
    stream.remoteClosed = this.blockEndsStream;
    stream.start();
    if (this.blockEndsStream && !stream.closed) this.endRemote(stream);
  }

  private onTrailers(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.onLateFrame(id, true);
    } else if (stream.remoteClosed) {
      this.fail(h2Error.streamClosed, "HEADERS on a half-closed stream");
    } else if (!this.blockEndsStream || this.list.overflow || !areTrailers(this.list.fields)) {
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
    this.settingsSeen = true;
    if (this.calm(this.guard.count(abuse.settings))) return;
    for (let i = at; i < at + length; i += 6) {
      const error = this.applySetting((bytes[i]! << 8) | bytes[i + 1]!, readU32(bytes, i + 2));
      if (error !== h2Error.noError) {
        this.fail(error, "SETTINGS value");
        return;
      }
    }
    writeSettingsAck(this.outbound.out);
    this.outbound.touch();
  }

  private applySetting(id: number, value: number): number {
    switch (id) {
      case setting.headerTableSize:
        this.outbound.encoder.setPeerTableBytes(value);
        return h2Error.noError;
      case setting.enablePush:
        return value > 1 ? h2Error.protocol : h2Error.noError;
      case setting.initialWindowSize:
        if (value > windowBytesMax) return h2Error.flowControl;
        return this.setInitialWindow(value) ? h2Error.noError : h2Error.flowControl;
      case setting.maxFrameSize:
        if (value < frameBytesDefault || value > frameBytesLargest) return h2Error.protocol;
        // Larger frames would only make turns between streams coarser.
        this.outbound.frameBytesMax = frameBytesDefault;
        return h2Error.noError;
      default:
        return h2Error.noError;
    }
  }

  private setInitialWindow(value: number): boolean {
    const change = value - this.outbound.initialSendWindow;
    this.outbound.initialSendWindow = value;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > windowBytesMax) return false;
      if (change > 0) this.outbound.schedule(stream);
    }
    return true;
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
    this.partial = null;
    this.block = null;
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
    if (this.streams.size === 0) this.onIdle();
  }

  private onIdle(): void {
    this.idleSince = -1;
    if (this.drainPhase !== 2 || this.over) return;
    this.outbound.end();
    this.finish("drained");
  }

  /** Once a second: deadlines and allowances (C6). */
  sweep(now: number): void {
    if (this.over) return;
    this.guard.sweep();
    const limits = this.limits;
    if (this.readSinceSweep) {
      this.readSinceSweep = false;
      this.lastReadAt = now;
      this.pingSentAt = -1;
    } else {
      this.outbound.shrink();
    }
    if (!this.settingsSeen && now - this.startedAt >= limits.firstFrameMs) {
      this.abandon("no preface in time");
    } else if (this.pingSentAt >= 0 && now - this.pingSentAt >= limits.keepAliveTimeoutMs) {
      this.abandon("keepalive ping not acked");
    } else if (this.isStuck(now)) {
      this.abandon("slow reader");
    } else {
      this.sweepIdle(now);
    }
  }

  private sweepIdle(now: number): void {
    const limits = this.limits;
    if (this.pingSentAt < 0 && now - this.lastReadAt >= limits.keepAliveIntervalMs) {
      this.pingSentAt = now;
      writePing(this.outbound.out, false, pingKeepAlive, 0);
      this.outbound.touch();
    }
    if (this.streams.size > 0) {
      this.idleSince = -1;
    } else if (this.idleSince < 0) {
      this.idleSince = now;
    } else if (limits.idleMs > 0 && now - this.idleSince >= limits.idleMs) {
      this.drain();
    }
  }

  /** Output waits and none left for too long. */
  private isStuck(now: number): boolean {
    if (!this.outbound.isWaiting || this.outbound.sentBytes !== this.progressBytes) {
      this.progressBytes = this.outbound.sentBytes;
      this.progressAt = now;
    }
    return now - this.progressAt >= this.limits.slowReaderMs;
  }

  /** Ends without a word: the peer does not read, or is not there. */
  private abandon(reason: string): void {
    this.sink.destroy();
    this.disconnected(reason);
  }
}
