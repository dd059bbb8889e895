/**
 * One gRPC call on one stream.
 *
 * GC1  Messages reach the method whole, in order, and only while the call is not `done`.
 * GC2  A call ends once: by `finish`/`reply` of the method, or by `cancelled` to it, never both.
 * GC3  A message's announced length is judged before memory is taken for it.
 */
import { grpcCode } from "../base/grpc-code.ts";
import { copyInto, h2Error, readU32, writeU32 } from "./frame.ts";
import type { Connection } from "./connection.ts";
import type { Expiring } from "./deadlines.ts";
import type { GrpcServer, MethodEntry } from "./grpc.ts";
import { isPlainHead, judgeHead } from "./grpc-head.ts";
import { decodeBase64, encodeStatusMessage } from "./grpc-text.ts";
import { HeaderField } from "./header-field.ts";
import { ConstantBlock } from "./outbound.ts";
import { PartialMessage, prefixBytes } from "./partial-message.ts";
import type { RequestHead } from "./request.ts";
import { Stream } from "./stream.ts";
import type { GrpcCall } from "./types.ts";

const status200 = new HeaderField(":status", "200");
const contentType = new HeaderField("content-type", "application/grpc");
const statusOk = new HeaderField("grpc-status", "0");
const answerHeaders = new ConstantBlock(0, [status200, contentType]);
const okTrailers = new ConstantBlock(1, [statusOk]);

export class Call extends Stream implements GrpcCall, Expiring {
  state: unknown = undefined;
  done = false;
  deadlineAt = 0;
  deadlineNext: Expiring | null = null;
  deadlinePrevious: Expiring | null = null;

  private readonly server: GrpcServer;
  /** Undefined: no such method. */
  private readonly entry: MethodEntry | undefined;
  private headersSent = false;
  private httpStatus = 200;
  private endCode: number = grpcCode.ok;
  private endMessage = "";
  private isOverHigh = false;

  private messageCount = 0;
  /** Set only where calls are timed. */
  private startedAt = 0;
  private held: PartialMessage | null = null;
  /** Told when the parts of the answer are not needed any more. */
  private released: (() => void) | null = null;

  constructor(
    server: GrpcServer,
    connection: Connection,
    id: number,
    head: RequestHead,
    entry: MethodEntry | undefined,
  ) {
    super(connection, id, head);
    this.server = server;
    this.entry = entry;
  }

  get connectionId(): number {
    return this.connection.id;
  }
  get remote(): string {
    return this.connection.remote;
  }
  get commonName(): string {
    return this.connection.commonName;
  }
  get pendingBytes(): number {
    return this.queuedBytes;
  }

  metadata(name: string): string | undefined {
    const value = this.head.field(name);
    if (value === undefined || !name.endsWith("-bin")) return value;
    const bytes = decodeBase64(value);
    return typeof bytes === "string" ? bytes : undefined;
  }

  // ---- the request

  start(): void {
    const head = this.head;
    const entry = this.entry;
    if ((entry === undefined || !isPlainHead(head)) && !this.judge()) return;
    entry!.started++;
    if (entry!.seconds !== null) this.startedAt = this.connection.clock.now();
    const method = entry!.method;
    if (method.open !== undefined && (method.clientStreaming || method.serverStreaming)) {
      method.open(this);
    }
  }

  /** False: answered. */
  private judge(): boolean {
    const verdict = judgeHead(this.head, this.entry !== undefined, this.server);
    if (typeof verdict === "number") {
      if (verdict > 0) this.server.deadlines.set(this, verdict);
      return true;
    }
    this.httpStatus = verdict.httpStatus;
    this.end(verdict.code, verdict.message);
    return false;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    while (start < end && !this.done) {
      if (this.held === null && end - start >= prefixBytes) {
        const length = readU32(bytes, start + 1);
        if (!this.checkLength(length)) return;
        const messageAt = start + prefixBytes;
        if (end - messageAt >= length) {
          start = messageAt + length;
          this.deliver(bytes[messageAt - prefixBytes]!, bytes, messageAt, start, start < end);
          continue;
        }
      }
      start = this.hold(bytes, start, end);
    }
  }

  private checkLength(length: number): boolean {
    const most = this.connection.limits.messageBytesMax;
    if (length <= most) return true;
    const text = `grpc: received message larger than max (${length} vs. ${most})`;
    this.failHere(grpcCode.resourceExhausted, text);
    return false;
  }

  /** Keeps the start of a message; delivers it when whole. Returns where to go on. */
  private hold(bytes: Uint8Array, start: number, end: number): number {
    const held = (this.held ??= new PartialMessage(this.connection));
    const hadPrefix = held.hasPrefix;
    const next = held.take(bytes, start, end);
    if (next < 0) {
      this.failHere(grpcCode.resourceExhausted, "grpc: too many bytes of unfinished messages");
      return end;
    }
    if (!held.hasPrefix) return next;
    const length = held.messageBytes;
    if (!hadPrefix && !this.checkLength(length)) return next; // GC3
    if (!held.isWhole) return next;
    this.dropHeld();
    this.deliver(held.bytes[0]!, held.bytes, prefixBytes, prefixBytes + length, next < end);
    return next;
  }

  private dropHeld(): void {
    this.held?.release();
    this.held = null;
  }

  /** One whole message (GC1). */
  private deliver(
    flag: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hasMore: boolean,
  ): void {
    const entry = this.entry!;
    const method = entry.method;
    if (!method.clientStreaming && (hasMore || this.messageCount > 0)) {
      this.failHere(
        grpcCode.internal,
        "cardinality violation: received multiple request messages for non-client-streaming RPC",
      );
      return;
    }
    this.messageCount++;
    let message = bytes.subarray(start, end);
    if (flag !== 0) {
      const inflated = this.inflate(flag, message);
      if (inflated === null) return;
      message = inflated;
    }
    entry.received++;
    method.message(this, message);
  }

  private inflate(flag: number, message: Uint8Array): Uint8Array | null {
    const encoding = this.head.grpcEncoding;
    if (flag !== 1) {
      this.failHere(grpcCode.internal, `grpc: received unexpected payload format ${flag}`);
      return null;
    }
    if (encoding === "" || encoding === "identity") {
      const text = "grpc: compressed flag set with identity or empty encoding";
      this.failHere(grpcCode.internal, text);
      return null;
    }
    const most = this.connection.limits.messageBytesMax;
    const result = this.server.inflate(message, most);
    if (result === "too large") {
      const text = `grpc: received message after decompression larger than max ${most}`;
      this.failHere(grpcCode.resourceExhausted, text);
      return null;
    }
    if (typeof result === "string") {
      this.failHere(grpcCode.internal, `grpc: failed to decompress the message: ${result}`);
      return null;
    }
    return result;
  }

  onRemoteEnd(): void {
    if (this.done) return;
    const method = this.entry!.method;
    if (this.held !== null) {
      this.failHere(grpcCode.internal, "unexpected EOF");
    } else if (this.messageCount === 0 && !method.clientStreaming) {
      if (!method.serverStreaming) this.failHere(grpcCode.unknown, "EOF");
      else {
        this.failHere(
          grpcCode.internal,
          "cardinality violation: received no request message from non-client-streaming RPC",
        );
      }
    } else if (method.halfClosed !== undefined) {
      method.halfClosed(this);
    }
  }

  /** The transport ends a call the method knows of. */
  private failHere(endCode: number, message: string): void {
    if (this.done) return;
    const method = this.entry!.method;
    this.end(endCode, message);
    if (this.messageCount > 0 || method.clientStreaming || method.serverStreaming) {
      method.cancelled?.(this);
    }
  }

  expire(): void {
    if (this.done) return;
    this.failHere(grpcCode.deadlineExceeded, "context deadline exceeded");
    // What still waits for the client's window has lost its reader.
    if (this.queuedBytes > 0) this.connection.resetStream(this, h2Error.cancel);
  }

  onClosed(): void {
    this.dropHeld();
    this.released?.();
    if (this.done) return;
    this.settle(grpcCode.canceled);
    this.entry!.method.cancelled?.(this);
  }

  onDrain(): void {
    if (!this.done) this.entry!.method.drained?.(this);
  }

  /** The call is decided (GC2). */
  private settle(endCode: number): void {
    this.done = true;
    if (this.deadlineAt !== 0) this.server.deadlines.clear(this);
    this.dropHeld();
    const entry = this.entry;
    if (entry === undefined) return;
    entry.handled[endCode & 31]!++;
    if (entry.seconds !== null) {
      entry.seconds.observe((this.connection.clock.now() - this.startedAt) / 1000);
    }
  }

  // ---- the answer

  reply(bytes: Uint8Array, start: number, end: number): void {
    if (this.done) return;
    const length = end - start + prefixBytes;
    const outbound = this.connection.outbound;
    if (this.headersSent || !outbound.canSend(this, length)) {
      this.send(bytes, start, end);
      this.finish(grpcCode.ok, "");
      return;
    }
    this.entry!.sent++;
    this.settle(grpcCode.ok);
    outbound.writeConstant(answerHeaders, this.id, false);
    const at = outbound.openData(this, length);
    const out = outbound.out.bytes;
    out[at] = 0;
    writeU32(out, at + 1, end - start);
    copyInto(out, at + prefixBytes, bytes, start, end);
    outbound.writeConstant(okTrailers, this.id, true);
    outbound.touch();
    this.connection.localEnd(this);
  }

  replyParts(parts: readonly Uint8Array[], totalBytes: number, released?: () => void): void {
    if (this.done) {
      released?.();
      return;
    }
    this.released = released ?? null;
    this.sendParts(parts, totalBytes);
    this.finish(grpcCode.ok, "");
  }

  send(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.done || !this.beginMessage()) return false;
    const length = end - start + prefixBytes;
    const outbound = this.connection.outbound;
    if (outbound.canSend(this, length)) {
      const at = outbound.openData(this, length);
      const out = outbound.out.bytes;
      out[at] = 0;
      writeU32(out, at + 1, end - start);
      copyInto(out, at + prefixBytes, bytes, start, end);
      outbound.touch();
      return true;
    }
    const copy = outbound.waiting.take(length);
    writeU32(copy, 1, end - start);
    copyInto(copy, prefixBytes, bytes, start, end);
    this.enqueue(copy);
    return this.afterQueueing();
  }

  sendParts(parts: readonly Uint8Array[], totalBytes: number): boolean {
    if (this.done || !this.beginMessage()) return false;
    const length = totalBytes + prefixBytes;
    const outbound = this.connection.outbound;
    if (outbound.canSend(this, length)) {
      let at = outbound.openData(this, length);
      const out = outbound.out.bytes;
      out[at] = 0;
      writeU32(out, at + 1, totalBytes);
      at += prefixBytes;
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i]!;
        copyInto(out, at, part, 0, part.length);
        at += part.length;
      }
      outbound.touch();
      return true;
    }
    const prefix = outbound.waiting.take(prefixBytes);
    writeU32(prefix, 1, totalBytes);
    this.enqueue(prefix);
    for (let i = 0; i < parts.length; i++) this.enqueue(parts[i]!);
    return this.afterQueueing();
  }

  /** Headers before the first message. False: the client lets far too much pile up. */
  private beginMessage(): boolean {
    if (this.queuedBytes > this.connection.limits.pendingStreamBytesMax) {
      this.connection.resetStream(this, h2Error.enhanceYourCalm);
      return false;
    }
    this.entry!.sent++;
    if (!this.headersSent) {
      this.headersSent = true;
      this.connection.outbound.writeConstant(answerHeaders, this.id, false);
    }
    return true;
  }

  private afterQueueing(): boolean {
    this.connection.outbound.schedule(this);
    if (this.queuedBytes <= this.connection.limits.pendingHighBytes) return true;
    this.isOverHigh = true;
    return false;
  }

  onSent(): void {
    if (!this.isOverHigh || this.queuedBytes > this.connection.limits.pendingLowBytes) return;
    this.isOverHigh = false;
    if (!this.done) this.entry!.method.writable?.(this);
  }

  finish(endCode: number, message: string): void {
    if (!this.done) this.end(endCode, message);
  }

  private end(endCode: number, message: string): void {
    this.settle(endCode);
    this.endCode = endCode;
    this.endMessage = message;
    this.ending = true;
    if (this.queuedBytes === 0) this.writeEnd();
  }

  writeEnd(): void {
    const outbound = this.connection.outbound;
    if (this.endCode === grpcCode.ok) {
      if (!this.headersSent) outbound.writeConstant(answerHeaders, this.id, false);
      outbound.writeConstant(okTrailers, this.id, true);
    } else {
      const start = outbound.beginHeaders();
      const encoder = outbound.encoder;
      if (!this.headersSent) {
        encoder.write(outbound.out, ":status", String(this.httpStatus));
        encoder.writeIndexed(outbound.out, contentType);
      }
      encoder.write(outbound.out, "grpc-status", String(this.endCode));
      encoder.write(outbound.out, "grpc-message", encodeStatusMessage(this.endMessage));
      outbound.endHeaders(start, this.id, true);
    }
    outbound.touch();
    this.connection.localEnd(this);
  }
}
