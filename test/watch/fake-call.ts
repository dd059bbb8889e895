import type { GrpcCall, GrpcMethod } from "../../src/http2/types.ts";

/** One call as a client would see it: messages come in by hand, what goes out is kept. */
export class FakeCall implements GrpcCall {
  state: unknown = null;
  done = false;
  readonly connectionId = 1;
  readonly remote = "test";
  readonly commonName = "";
  readonly messages: Uint8Array[] = [];
  status: { code: number; message: string } | null = null;
  pendingBytes = 0;
  /** `send` answers false from here on. */
  pendingBytesHigh = Infinity;
  private readonly method: GrpcMethod;

  constructor(method: GrpcMethod) {
    this.method = method;
    method.open?.(this);
  }

  receive(bytes: Uint8Array): this {
    this.method.message(this, bytes);
    return this;
  }

  halfClose(): void {
    this.method.halfClosed?.(this);
  }

  cancel(): void {
    this.done = true;
    this.method.cancelled?.(this);
  }

  /** The client reads everything. */
  drain(): void {
    this.pendingBytes = 0;
    this.method.writable?.(this);
  }

  metadata(): undefined {
    return undefined;
  }

  reply(bytes: Uint8Array, start: number, end: number): void {
    this.send(bytes, start, end);
    this.finish(0, "");
  }

  replyParts(parts: readonly Uint8Array[], totalBytes: number, released?: () => void): void {
    this.sendParts(parts, totalBytes);
    this.finish(0, "");
    released?.();
  }

  send(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.done) return false;
    this.messages.push(bytes.slice(start, end));
    this.pendingBytes += end - start;
    return this.pendingBytes <= this.pendingBytesHigh;
  }

  sendParts(parts: readonly Uint8Array[], totalBytes: number): boolean {
    const whole = new Uint8Array(totalBytes);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    if (at !== totalBytes) throw new Error(`${at} bytes in parts, ${totalBytes} announced`);
    return this.send(whole, 0, at);
  }

  finish(code: number, message: string): void {
    if (this.done) return;
    this.done = true;
    this.status = { code, message };
  }
}
