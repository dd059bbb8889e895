/**
 * The sending side of a connection: one output buffer, handed to the sink once per turn, and fair
 * turns between the streams that have DATA waiting.
 *
 * O1  Everything that leaves goes through `out`, in order; header blocks are encoded when written.
 * O2  At most one buffer is with the sink; the next one is only offered after `drained`.
 * O3  Both windows, the peer's frame size and the turn's byte bounds hold for every DATA frame.
 * O4  A stream is in the ring exactly when it has queued bytes and a positive window.
 * O5  What the sink has not taken is bounded: above `unsentBytesMax` reading stops and answers wait
 *     in their streams' queues.
 */
import { Arena } from "../base/arena.ts";
import type { Turn } from "../base/ports.ts";
import {
  endHeaderBlock,
  frameBytesDefault,
  frameFlag,
  frameHeaderBytes,
  frameType,
  OutputBuffer,
  putFrameHeader,
  windowBytesDefault,
  windowBytesMax,
  writeFrameHeader,
  writeU32,
} from "./frame.ts";
import type { HeaderField } from "./header-field.ts";
import { HpackEncoder } from "./hpack.ts";
import type { Http2Limits } from "./limits.ts";
import { Ring } from "./ring.ts";
import type { Stream } from "./stream.ts";

/** The door to the socket. */
export interface Sink {
  /** Takes the bytes. True: they may be overwritten at once; false: only after `drained`. */
  write(bytes: Uint8Array): boolean;
  /** No more output: lets go of the socket once everything left. */
  end(): void;
  /** Lets go of the socket at once. */
  destroy(): void;
  setReading(on: boolean): void;
}

/** Constant fields sent on every answer: indexed on first use, then copied as a finished frame. */
export class ConstantBlock {
  readonly fields: readonly HeaderField[];
  /** Position in a connection's own list of finished frames. */
  readonly slot: number;
  constructor(slot: number, fields: readonly HeaderField[]) {
    this.slot = slot;
    this.fields = fields;
  }
}

const bufferBytesFirst = 512;
/** A buffer above this is not kept by its connection, but lent from the pool. */
const bufferBytesKept = 128 * 1024;
const bufferRoundBytes = 256 * 1024;

/**
 * Large output buffers, shared by all connections: few have a large answer under way at once. Kept
 * in order of size; when the pool is full a larger buffer takes the place of the smallest, or small
 * ones that fit no answer any more would keep every large one out.
 */
export class BufferPool {
  private readonly free: Uint8Array[] = [];
  private readonly countMax: number;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  take(bytesMin: number): Uint8Array {
    const at = this.free.findIndex((buffer) => buffer.length >= bytesMin);
    if (at >= 0) return this.free.splice(at, 1)[0]!;
    return new Uint8Array(Math.ceil(bytesMin / bufferRoundBytes) * bufferRoundBytes);
  }

  give(buffer: Uint8Array): void {
    const { free } = this;
    const at = free.findIndex((other) => other.length >= buffer.length);
    free.splice(at < 0 ? free.length : at, 0, buffer);
    if (free.length > this.countMax) free.shift();
  }
}

export interface OutboundDeps {
  readonly sink: Sink;
  readonly turn: Turn;
  readonly limits: Http2Limits;
  readonly pool: BufferPool;
  /** Runs at the start of every flush: what it writes goes along. */
  readonly beforeFlush: () => void;
}

export class Outbound {
  /** Where frames are written; `touch` afterwards. */
  out = new OutputBuffer(bufferBytesFirst);
  readonly encoder = new HpackEncoder();
  initialSendWindow = windowBytesDefault;
  window = windowBytesDefault;
  readonly frameBytesMax = frameBytesDefault;
  /** Bytes waiting in all streams' queues. */
  queuedBytes = 0;
  /** Bytes ever given to the sink: progress, for the slow-reader deadline. */
  sentBytes = 0;
  /** DATA bytes since the last flush. */
  dataBytes = 0;
  /** With the sink (O2). */
  private busy: Uint8Array | null = null;
  private spare: Uint8Array | null = null;
  /** Space for small messages that wait for the client's window. */
  readonly waiting = new Arena(16 * 1024);
  private readonly ring = new Ring<Stream>();
  /** Streams that used up their share of this turn. */
  private readonly rested: Stream[] = [];
  private frames: Uint8Array[] = [];
  /** The newest DATA frame in `out`, which may still grow while nothing follows it. */
  private lastDataStream = 0;
  private lastDataLength = 0;
  private lastDataEnd = -1;
  private touched = false;
  private flushing = false;
  private isReading = true;
  private ending = false;
  private over = false;

  private readonly sink: Sink;
  private readonly turn: Turn;
  private readonly limits: Http2Limits;
  private readonly pool: BufferPool;
  private readonly beforeFlush: () => void;
  private readonly flushRun: () => void;
  private readonly touchRun: () => void;

  constructor(deps: OutboundDeps) {
    this.sink = deps.sink;
    this.turn = deps.turn;
    this.limits = deps.limits;
    this.pool = deps.pool;
    this.beforeFlush = deps.beforeFlush;
    this.flushRun = () => {
      this.flush();
    };
    this.touchRun = () => {
      this.touch();
    };
  }

  /** Something was written or became sendable: flush at the end of this turn. */
  touch(): void {
    if (this.touched || this.over) return;
    this.touched = true;
    if (this.flushing) return; // goes on in the next turn: a turn's bounds are for all of it
    this.turn.atFlush(this.flushRun);
  }

  /** Ends the output behind everything written so far; queued DATA is not waited for. */
  end(): void {
    this.ending = true;
    this.touch();
  }

  /** The socket is gone. */
  stop(): void {
    this.over = true;
  }

  get isWaiting(): boolean {
    return this.busy !== null || this.queuedBytes > 0;
  }

  /** Lets an idle connection's buffers go. */
  shrink(): void {
    if (this.out.length === 0 && this.out.bytes.length > bufferBytesFirst) {
      this.out.bytes = new Uint8Array(bufferBytesFirst);
    }
    this.spare = null;
  }

  // ---- header blocks

  /** HEADERS of constant fields. */
  writeConstant(block: ConstantBlock, streamId: number, endStream: boolean): void {
    const frame = this.frames[block.slot];
    const out = this.out;
    if (frame !== undefined && this.encoder.settled) {
      out.reserve(frame.length);
      const bytes = out.bytes;
      let at = out.length;
      for (let i = 0; i < frame.length; i++) bytes[at + i] = frame[i]!;
      if (endStream) bytes[at + 4] = frameFlag.endHeaders | frameFlag.endStream;
      writeU32(bytes, at + 5, streamId);
      at += frame.length;
      out.length = at;
      return;
    }
    const start = this.beginHeaders();
    const before = this.encoder.generation;
    for (const field of block.fields) this.encoder.writeIndexed(out, field);
    this.endHeaders(start, streamId, endStream);
    this.rememberFrame(block, before);
  }

  private rememberFrame(block: ConstantBlock, generationBefore: number): void {
    // An insertion moves the indexes in every finished frame.
    if (this.encoder.generation !== generationBefore) this.frames = [];
    const indexes = block.fields.map((field) => this.encoder.indexOf(field));
    if (indexes.includes(0)) return;
    const frame = new Uint8Array(frameHeaderBytes + indexes.length);
    putFrameHeader(frame, 0, indexes.length, (frameType.headers << 8) | frameFlag.endHeaders, 0);
    frame.set(indexes, frameHeaderBytes);
    this.frames[block.slot] = frame;
  }

  /** Starts a HEADERS frame; fields follow through `encoder`, then `endHeaders(start, …)`. */
  beginHeaders(): number {
    const start = this.out.length;
    this.out.reserve(frameHeaderBytes);
    this.out.length += frameHeaderBytes;
    this.encoder.begin(this.out);
    return start;
  }

  endHeaders(start: number, streamId: number, endStream: boolean): void {
    endHeaderBlock(this.out, start, streamId, endStream, this.frameBytesMax);
  }

  // ---- DATA

  /** True when `length` bytes of DATA may go to `out` now, past no queue and over no bound. */
  canSend(stream: Stream, length: number): boolean {
    return (
      stream.queuedBytes === 0 &&
      length <= this.frameBytesMax &&
      length <= stream.sendWindow &&
      length <= this.window &&
      this.out.length <= this.limits.unsentBytesMax
    );
  }

  /**
   * Room for `length` bytes of DATA, returns where they go. Small messages of one stream in a row
   * share a frame: the client reads one header for many.
   */
  openData(stream: Stream, length: number): number {
    const out = this.out;
    stream.sendWindow -= length;
    this.window -= length;
    this.dataBytes += length;
    const joined = this.lastDataLength + length;
    if (this.lastDataEnd === out.length && this.lastDataStream === stream.id) {
      if (joined <= this.frameBytesMax) return this.growData(joined, length);
    }
    this.reserve(frameHeaderBytes + length);
    const at = out.length;
    putFrameHeader(out.bytes, at, length, frameType.data << 8, stream.id);
    out.length = at + frameHeaderBytes + length;
    this.lastDataStream = stream.id;
    this.lastDataLength = length;
    this.lastDataEnd = out.length;
    return at + frameHeaderBytes;
  }

  private growData(joined: number, length: number): number {
    const out = this.out;
    this.reserve(length);
    const at = out.length;
    const header = at - this.lastDataLength - frameHeaderBytes;
    putFrameHeader(out.bytes, header, joined, frameType.data << 8, this.lastDataStream);
    out.length = at + length;
    this.lastDataLength = joined;
    this.lastDataEnd = out.length;
    return at;
  }

  /** An empty DATA frame with END_STREAM. */
  openEnd(stream: Stream): void {
    writeFrameHeader(this.out, 0, frameType.data, frameFlag.endStream, stream.id);
    this.touch();
  }

  /** The stream's queue or window grew: give it a place in the ring (O4). */
  schedule(stream: Stream): void {
    if (!stream.inRing && stream.queuedBytes > 0 && stream.sendWindow > 0) {
      stream.inRing = true;
      this.ring.push(stream);
    }
    this.touch();
  }

  /** WINDOW_UPDATE for the connection. False: the window would overflow. */
  widen(increment: number): boolean {
    this.window += increment;
    if (this.ring.size > 0) this.touch();
    return this.window <= windowBytesMax;
  }

  /** Moves queued DATA to `out`, one frame per stream and round, within the turn's bounds (O3). */
  private pump(): void {
    let budget = this.limits.connectionTurnBytesMax;
    this.makeRoom(Math.min(this.queuedBytes, this.window, budget));
    while (this.ring.size > 0 && this.window > 0 && budget > 0) {
      const stream = this.ring.shift()!;
      stream.inRing = false;
      if (stream.closed || stream.queuedBytes === 0 || stream.sendWindow <= 0) continue;
      const share = this.limits.streamTurnBytesMax - stream.turnBytes;
      const length = Math.min(
        stream.queuedBytes,
        stream.sendWindow,
        this.window,
        this.frameBytesMax,
        share,
        budget,
      );
      const at = this.openData(stream, length);
      stream.dequeueInto(this.out.bytes, at, length);
      stream.turnBytes += length;
      budget -= length;
      if (stream.queuedBytes === 0) {
        this.rested.push(stream);
        if (stream.ending) stream.writeEnd();
      } else if (stream.sendWindow > 0 && length < share) {
        stream.inRing = true;
        this.ring.push(stream);
      } else {
        this.rested.push(stream);
      }
    }
    this.endRound();
  }

  /** Room for `dataBytes` of DATA frames at once, instead of by doubling. */
  private makeRoom(dataBytes: number): void {
    const frames = dataBytes / this.frameBytesMax + this.ring.size + 1;
    const wanted = Math.ceil(dataBytes + frames * frameHeaderBytes);
    if (this.out.length + wanted > bufferBytesKept) this.reserve(wanted);
  }

  /** Room for `count` bytes: doubled while small, lent from the pool above `bufferBytesKept`. */
  private reserve(count: number): void {
    const out = this.out;
    const needed = out.length + count;
    if (needed <= out.bytes.length) return;
    if (needed <= bufferBytesKept) {
      out.reserve(count);
      return;
    }
    const before = out.bytes;
    const large = this.pool.take(needed);
    large.set(before.subarray(0, out.length));
    out.bytes = large;
    if (before.length > bufferBytesKept) this.pool.give(before);
    else this.spare = before; // back in `out` once this answer left
  }

  private endRound(): void {
    for (const stream of this.rested) {
      stream.turnBytes = 0;
      if (stream.closed) continue;
      if (!stream.inRing && stream.queuedBytes > 0 && stream.sendWindow > 0) {
        stream.inRing = true;
        this.ring.push(stream);
      }
      stream.onSent();
    }
    this.rested.length = 0;
  }

  // ---- the sink

  private flush(): void {
    this.touched = false;
    if (this.over) return;
    this.flushing = true;
    this.beforeFlush();
    if (this.busy === null) {
      if (this.ring.size > 0) this.pump();
      this.give();
    }
    this.flushing = false;
    const canGoOn = this.ring.size > 0 && this.window > 0 && this.busy === null;
    if (this.touched || canGoOn) {
      this.touched = false;
      this.turn.next(this.touchRun);
    }
    this.afterFlush();
  }

  private afterFlush(): void {
    if (this.busy === null) {
      if (this.ending && this.busy === null && this.out.length === 0) {
        this.over = true;
        this.sink.end();
        return;
      }
    }
    const shouldRead = this.out.length <= this.limits.unsentBytesMax;
    if (shouldRead !== this.isReading) {
      this.isReading = shouldRead;
      this.sink.setReading(shouldRead);
    }
  }

  private give(): void {
    const out = this.out;
    if (out.length === 0) return;
    const whole = out.bytes;
    const length = out.length;
    out.length = 0;
    this.lastDataEnd = -1;
    this.sentBytes += length;
    const free = this.sink.write(whole.subarray(0, length));
    if (!free) {
      this.busy = whole;
      const likely = Math.min(Math.max(length, bufferBytesFirst), bufferBytesKept);
      out.bytes = this.spare ?? new Uint8Array(likely);
      this.spare = null;
    } else if (whole.length > bufferBytesKept) {
      this.pool.give(whole);
      out.bytes = this.spare ?? new Uint8Array(bufferBytesFirst);
      this.spare = null;
    }
  }

  /** The sink let go of what it was given. */
  drained(): void {
    const was = this.busy;
    if (was === null) return;
    this.busy = null;
    if (was.length <= bufferBytesKept) this.spare = was;
    else this.pool.give(was);
    this.touch();
  }
}
