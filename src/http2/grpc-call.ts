/**
 * One gRPC call on one stream.
 *
 * GC1  Messages reach the method whole, in order, and only while the call is not `done`.
 * GC2  A call ends once: by `finish`/`reply` of the method, or by `cancelled` to it, never both.
 * GC3  A message's announced length is judged before memory is taken for it.
 */
import { readU32, writeU32, copyInto, h2Error } from "./frame.ts";
import type { Connection } from "./connection.ts";
import type { Expiring } from "./deadlines.ts";
import type { GrpcServer, MethodEntry } from "./grpc.ts";
import { decodeBase64, encodeStatusMessage, parseTimeout, quote } from "./grpc-text.ts";
import { fieldKind, HeaderField } from "./header-field.ts";
import { ConstantBlock } from "./outbound.ts";
import type { RequestHead } from "./request.ts";
import { Stream } from "./stream.ts";
import type { GrpcCall } from "./types.ts";

const prefixBytes = 5;
const heldBytesFirst = 4096;
const status200 = new HeaderField(":status", "200");
const contentType = new HeaderField("content-type", "application/grpc");
const statusOk = new HeaderField("grpc-status", "0");
const answerHeaders = new ConstantBlock(0, [status200, contentType]);
const okTrailers = new ConstantBlock(1, [statusOk]);

const code = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
} as const;

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
  private endCode: number = code.ok;
  private endMessage = "";
  private isOverHigh = false;

  private messageCount = 0;
  /** A message that has not wholly arrived, its prefix included. */
  private held: Uint8Array | null = null;
  private heldLength = 0;
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
    if (
      entry === undefined ||
      head.method !== "POST" ||
      head.grpcTimeout !== "" ||
      head.grpcEncoding !== "" ||
      head.hasBinary ||
      head.authorityCount > 1 ||
      head.hostCount > 1
    ) {
      if (!this.judgeHead()) return;
    }
    entry!.started++;
    const method = entry!.method;
    if (method.open !== undefined && (method.clientStreaming || method.serverStreaming)) {
      method.open(this);
    }
  }

  /** The rarer parts of a head, in grpc-go's order. False: answered. */
  private judgeHead(): boolean {
    const head = this.head;
    if (head.authorityCount > 1 || head.hostCount > 1) {
      const text = `num values of :authority: ${head.authorityCount}, num values of host: ${head.hostCount}, both must only have 1 value as per HTTP/2 spec`;
      return this.abort(400, code.internal, text);
    }
    const timeoutMs = head.grpcTimeout === "" ? -1 : parseTimeout(head.grpcTimeout);
    if (typeof timeoutMs === "string") {
      return this.abort(400, code.internal, `malformed grpc-timeout: ${timeoutMs}`);
    }
    const binaryFault = head.hasBinary ? findBinaryFault(head) : "";
    if (binaryFault !== "") return this.abort(400, code.internal, binaryFault);
    if (head.method !== "POST") {
      const text = `Received a HEADERS frame with :method ${quote(head.method)} which should be POST`;
      return this.abort(405, code.internal, text);
    }
    if (timeoutMs === 0) {
      return this.abort(200, code.deadlineExceeded, "context deadline exceeded");
    }
    if (this.entry === undefined) {
      return this.abort(200, code.unimplemented, this.server.unknownText(head.path));
    }
    const encoding = head.grpcEncoding;
    if (encoding !== "" && encoding !== "identity" && !this.server.canInflate(encoding)) {
      const text = `grpc: Decompressor is not installed for grpc-encoding ${quote(encoding)}`;
      return this.abort(200, code.unimplemented, text);
    }
    if (timeoutMs > 0) this.server.deadlines.set(this, timeoutMs);
    return true;
  }

  private abort(httpStatus: number, endCode: number, message: string): false {
    this.httpStatus = httpStatus;
    this.end(endCode, message);
    return false;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    while (start < end && !this.done) {
      if (this.heldLength === 0 && end - start >= prefixBytes) {
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
    this.failHere(code.resourceExhausted, text);
    return false;
  }

  /** Keeps the start of a message; delivers it when whole. Returns where to go on. */
  private hold(bytes: Uint8Array, start: number, end: number): number {
    let wanted = prefixBytes;
    if (this.heldLength >= prefixBytes) wanted += readU32(this.held!, 1);
    const take = Math.min(wanted - this.heldLength, end - start);
    if (!this.growHeld(this.heldLength + take, wanted)) return end;
    copyInto(this.held!, this.heldLength, bytes, start, start + take);
    this.heldLength += take;
    if (this.heldLength < wanted) return start + take;
    const length = readU32(this.held!, 1);
    if (wanted === prefixBytes && length > 0) {
      this.checkLength(length);
      return start + take;
    }
    const whole = this.held!;
    this.dropHeld();
    this.deliver(whole[0]!, whole, prefixBytes, prefixBytes + length, start + take < end);
    return start + take;
  }

  /** Memory follows what came, at most double of it, not what was announced (GC3). */
  private growHeld(needed: number, wanted: number): boolean {
    const capacity = this.held === null ? 0 : this.held.length;
    if (needed <= capacity) return true;
    const next = Math.max(needed, Math.min(wanted, Math.max(capacity * 2, heldBytesFirst)));
    const connection = this.connection;
    if (connection.heldBytes + next - capacity > connection.limits.receiveBytesMax) {
      this.failHere(code.resourceExhausted, "grpc: too many bytes of unfinished messages");
      return false;
    }
    const wider = new Uint8Array(next);
    if (this.held !== null) wider.set(this.held.subarray(0, this.heldLength));
    this.held = wider;
    connection.heldBytes += next - capacity;
    return true;
  }

  private dropHeld(): void {
    if (this.held === null) return;
    this.connection.heldBytes -= this.held.length;
    this.held = null;
    this.heldLength = 0;
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
        code.internal,
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
      this.failHere(code.internal, `grpc: received unexpected payload format ${flag}`);
      return null;
    }
    if (encoding === "" || encoding === "identity") {
      const text = "grpc: compressed flag set with identity or empty encoding";
      this.failHere(code.internal, text);
      return null;
    }
    const most = this.connection.limits.messageBytesMax;
    const result = this.server.inflate(message, most);
    if (result === "too large") {
      const text = `grpc: received message after decompression larger than max ${most}`;
      this.failHere(code.resourceExhausted, text);
      return null;
    }
    if (typeof result === "string") {
      this.failHere(code.internal, `grpc: failed to decompress the message: ${result}`);
      return null;
    }
    return result;
  }

  onRemoteEnd(): void {
    if (this.done) return;
    const method = this.entry!.method;
    if (this.heldLength > 0) {
      this.failHere(code.internal, "unexpected EOF");
    } else if (this.messageCount === 0 && !method.clientStreaming) {
      if (!method.serverStreaming) this.failHere(code.unknown, "EOF");
      else {
        this.failHere(
          code.internal,
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
    this.failHere(code.deadlineExceeded, "context deadline exceeded");
    // What still waits for the client's window has lost its reader.
    if (this.queuedBytes > 0) this.connection.resetStream(this, h2Error.cancel);
  }

  onClosed(): void {
    this.dropHeld();
    this.released?.();
    if (this.done) return;
    this.settle(code.canceled);
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
    if (entry !== undefined) entry.handled[endCode & 31]!++;
  }

  // ---- the answer

  reply(bytes: Uint8Array, start: number, end: number): void {
    if (this.done) return;
    const length = end - start + prefixBytes;
    const outbound = this.connection.outbound;
    if (this.headersSent || !outbound.canSend(this, length)) {
      this.send(bytes, start, end);
      this.finish(code.ok, "");
      return;
    }
    this.entry!.sent++;
    this.settle(code.ok);
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
    this.finish(code.ok, "");
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
    const copy = new Uint8Array(length);
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
    const prefix = new Uint8Array(prefixBytes);
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
    if (this.endCode === code.ok) {
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

function findBinaryFault(head: RequestHead): string {
  for (const field of head.fields) {
    if (field.kind !== fieldKind.binary) continue;
    const bytes = decodeBase64(field.value);
    if (typeof bytes === "number") {
      const where = `${quote(field.value)} in header ${quote(field.name)}`;
      return `malformed binary metadata ${where}: illegal base64 data at input byte ${bytes}`;
    }
  }
  return "";
}
