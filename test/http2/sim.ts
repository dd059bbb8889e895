/**
 * A transport without sockets: simulated clock and turns, sinks that record, a raw frame client.
 */
import type { Clock, Turn } from "../../src/base/ports.ts";
import type { Connection } from "../../src/http2/connection.ts";
import { frameFlag, frameType, OutputBuffer, preface, readU32 } from "../../src/http2/frame.ts";
import { writeFrameHeader, writeSettings } from "../../src/http2/frame.ts";
import { GrpcServer } from "../../src/http2/grpc.ts";
import { HeaderList, HpackDecoder, HpackEncoder } from "../../src/http2/hpack.ts";
import type { Http2Limits } from "../../src/http2/limits.ts";
import { http2Defaults } from "../../src/http2/limits.ts";
import type { Sink } from "../../src/http2/outbound.ts";
import type { GrpcMethod } from "../../src/http2/types.ts";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { echoHttp, echoMethods } from "./echo-server.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly body: Uint8Array;
}

export function frameOf(type: number, flags: number, id: number, body: Uint8Array): Uint8Array {
  const out = new OutputBuffer(16);
  writeFrameHeader(out, body.length, type, flags, id);
  out.append(body);
  return out.bytes.slice(0, out.length);
}

export function u32(value: number): Uint8Array {
  return new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);
}

/** A gRPC message with its prefix. */
export function grpcMessage(bytes: Uint8Array): Uint8Array {
  return concat([new Uint8Array([0]), u32(bytes.length), bytes]);
}

export function parseFrames(bytes: Uint8Array): Frame[] {
  const out: Frame[] = [];
  let at = 0;
  while (at + 9 <= bytes.length) {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const body = bytes.slice(at + 9, at + 9 + length);
    out.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: readU32(bytes, at + 5), body });
    at += 9 + length;
  }
  return out;
}

export class SimWorld {
  readonly server: GrpcServer;
  readonly limits: Http2Limits;
  private time = 0;
  private readonly timers: { at: number; run: (() => void) | null }[] = [];
  private ends: (() => void)[] = [];
  private flushes: (() => void)[] = [];
  private nexts: (() => void)[] = [];
  readonly clock: Clock = {
    now: () => this.time,
    wall: () => this.time,
    after: (delayMs, run) => {
      const timer: { at: number; run: (() => void) | null } = { at: this.time + delayMs, run };
      this.timers.push(timer);
      return {
        cancel: () => {
          timer.run = null;
        },
      };
    },
  };
  readonly turn: Turn = {
    atEnd: (run) => {
      this.ends.push(run);
    },
    atFlush: (run) => {
      this.flushes.push(run);
    },
    next: (run) => {
      this.nexts.push(run);
    },
  };

  constructor(limits: Partial<Http2Limits> = {}, methods: readonly GrpcMethod[] = echoMethods) {
    this.limits = { ...http2Defaults, ...limits };
    const { clock, turn } = this;
    this.server = new GrpcServer({ methods, http: echoHttp, limits: this.limits, clock, turn });
  }

  private get hasWork(): boolean {
    return this.ends.length > 0 || this.flushes.length > 0 || this.nexts.length > 0;
  }

  /** One event-loop turn: everything registered for its end, in order. */
  runTurn(): void {
    const next = this.nexts;
    this.nexts = [];
    for (const run of next) run();
    for (let ended = 0, flushed = 0; ;) {
      while (ended < this.ends.length) this.ends[ended++]!();
      if (flushed === this.flushes.length) break;
      this.flushes[flushed++]!();
    }
    this.ends = [];
    this.flushes = [];
  }

  /** Turns until nothing is left to do; `most` bounds a loop that never ends. */
  settle(most = 1000): void {
    for (let i = 0; i < most && this.hasWork; i++) {
      this.runTurn();
    }
  }

  advance(ms: number): void {
    const until = this.time + ms;
    for (;;) {
      const due = this.timers.filter((t) => t.run !== null && t.at <= until);
      if (due.length === 0) break;
      const first = due.reduce((a, b) => (b.at < a.at ? b : a));
      this.time = Math.max(this.time, first.at);
      const run = first.run!;
      first.run = null;
      this.timers.splice(this.timers.indexOf(first), 1);
      run();
      this.settle();
    }
    this.time = until;
  }

  connect(): RawClient {
    return new RawClient(this);
  }
}

/** A client that says exactly what it is told to; it acknowledges nothing by itself. */
export class RawClient implements Sink {
  readonly connection: Connection;
  /** False: like a socket that is full. */
  isTaking = true;
  isEnded = false;
  isDestroyed = false;
  isRead = true;
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder();
  private readonly world: SimWorld;
  private readonly chunks: Uint8Array[] = [];
  private nextId = 1;

  constructor(world: SimWorld) {
    this.world = world;
    this.connection = world.server.connect(this, { remote: "test", commonName: "" });
  }

  write(bytes: Uint8Array): boolean {
    this.chunks.push(bytes.slice());
    return this.isTaking;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  setReading(on: boolean): void {
    this.isRead = on;
  }

  get isOver(): boolean {
    return this.connection.over && (this.isEnded || this.isDestroyed);
  }

  /** Number of writes since the last `take`. */
  get writes(): number {
    return this.chunks.length;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.connection.receive(concat(parts));
  }

  /** Preface and SETTINGS. */
  greet(settings: readonly (readonly [number, number])[] = []): this {
    const out = new OutputBuffer(64);
    writeSettings(out, settings);
    this.send(preface, out.bytes.slice(0, out.length));
    return this;
  }

  frame(type: number, flags: number, id: number, body: Uint8Array = new Uint8Array(0)): void {
    this.send(frameOf(type, flags, id, body));
  }

  /** A header block of a gRPC request; nothing is put into the dynamic table. */
  block(path: string, extra: readonly (readonly [string, string])[] = []): Uint8Array {
    const out = new OutputBuffer(64);
    const fields: (readonly [string, string])[] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", path],
      [":authority", "test"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ...extra,
    ];
    for (const [name, value] of fields) this.encoder.write(out, name, value);
    return out.bytes.slice(0, out.length);
  }

  /** Opens a stream with HEADERS and returns its id. */
  open(path: string, extra: readonly (readonly [string, string])[] = [], end = false): number {
    const id = this.nextId;
    this.nextId += 2;
    const flags = frameFlag.endHeaders | (end ? frameFlag.endStream : 0);
    this.frame(frameType.headers, flags, id, this.block(path, extra));
    return id;
  }

  /** Leaves an id to frames written by hand. */
  skipStream(): void {
    this.nextId += 2;
  }

  data(id: number, body: Uint8Array, end = false): void {
    this.frame(frameType.data, end ? frameFlag.endStream : 0, id, body);
  }

  /** A whole unary request in one read. */
  unary(
    path: string,
    body: Uint8Array,
    extra: readonly (readonly [string, string])[] = [],
  ): number {
    const id = this.nextId;
    this.nextId += 2;
    this.send(
      frameOf(frameType.headers, frameFlag.endHeaders, id, this.block(path, extra)),
      frameOf(frameType.data, frameFlag.endStream, id, grpcMessage(body)),
    );
    return id;
  }

  /** Frames written since the last call, after the turn's end. */
  take(): Frame[] {
    this.world.settle();
    return this.takeNow();
  }

  /** Frames written since the last call; runs nothing. */
  takeNow(): Frame[] {
    const frames = parseFrames(concat(this.chunks));
    this.chunks.length = 0;
    return frames;
  }

  /** Ends a wait for the socket. */
  drain(): void {
    this.connection.outbound.drained();
  }

  headers(frame: Frame): Map<string, string> {
    const list = new HeaderList(1 << 20, 1000);
    if (!this.decoder.decode(frame.body, 0, frame.body.length, list)) throw new Error("HPACK");
    return new Map(list.fields.map((field) => [field.name, field.value]));
  }

  /** What one stream got among `frames`; header blocks of all streams are decoded in order. */
  answer(frames: readonly Frame[], id: number): { fields: Map<string, string>; body: Uint8Array } {
    const fields = new Map<string, string>();
    const parts: Uint8Array[] = [];
    for (const frame of frames) {
      if (frame.type === frameType.headers) {
        const got = this.headers(frame);
        if (frame.id === id) for (const [name, value] of got) fields.set(name, value);
      } else if (frame.type === frameType.data && frame.id === id) {
        parts.push(frame.body);
      }
    }
    return { fields, body: concat(parts) };
  }
}

/** Error code and text of the GOAWAY among `frames`. */
export function goAwayOf(frames: readonly Frame[]): { code: number; text: string } | null {
  const found = frames.find((f) => f.type === frameType.goAway && readU32(f.body, 4) !== 0);
  if (found === undefined) return null;
  return { code: readU32(found.body, 4), text: new TextDecoder().decode(found.body.slice(8)) };
}

/** A unary call of a well-behaved client on a connection of its own. */
export function isServed(world: SimWorld): boolean {
  const client = world.connect().greet();
  const body = utf8("still here");
  const id = client.unary("/echo.Echo/Unary", body);
  const { fields, body: answer } = client.answer(client.take(), id);
  return fields.get("grpc-status") === "0" && answer.length === body.length + 5;
}
