/**
 * One stream on one member. Nothing is retried here.
 *
 * SC1  The receiver hears messages in order, then exactly one of `ended` and `failed`; after
 *      `cancel` nothing.
 * SC2  What is sent before the stream is open waits here and leaves first.
 * SC3  At most one message is asked for at a time, and none while paused.
 */
import { status as grpcStatus } from "@grpc/grpc-js";

import { grpcCode } from "../base/grpc-code.ts";
import type { ActiveCall } from "./active-calls.ts";
import type { Waiter } from "./balancer.ts";
import { frame, unframe, type CallParts } from "./call-parts.ts";
import type { CallStream, Method, StreamReceiver } from "./caller.ts";
import type { CallListener, CallStatus, Channel, RawCall } from "./channel.ts";
import { CanceledError, ClientClosedError, EtcdError, TimeoutError } from "./errors.ts";
import { needsNewToken, statusError } from "./retry.ts";
import type { Ticket } from "./token.ts";
import type { CallOptions } from "./types.ts";

/** Bytes not yet taken by the connection, from which on `send` answers false. */
const unsentBytesHigh = 64 * 1024;

export class StreamCall<Request, Response>
  implements CallStream<Request>, CallListener, ActiveCall, Waiter
{
  dueAt = Infinity;
  readonly #parts: CallParts;
  readonly #method: Method<Request, Response>;
  readonly #receiver: StreamReceiver<Response>;
  readonly #options: CallOptions | undefined;
  readonly #context: { callback: () => void };
  #channel: Channel | null = null;
  #raw: RawCall | null = null;
  #ticket: Ticket | null = null;
  #isDone = false;
  #isEnding = false;
  #isPaused = false;
  /** A message was delivered while paused: the next one is asked for by `resume`. */
  #readIsOwed = false;
  #early: Buffer[] = [];
  readonly #unsentSizes: number[] = [];
  #unsentBytes = 0;
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | null = null;

  constructor(
    parts: CallParts,
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options: CallOptions | undefined,
  ) {
    this.#parts = parts;
    this.#method = method;
    this.#receiver = receiver;
    this.#options = options;
    this.#context = { callback: () => this.#sent() };
  }

  /** Failures are told later, never during this call. */
  begin(): void {
    const { settings, active } = this.#parts;
    const signal = this.#options?.signal;
    if (signal?.aborted === true) {
      queueMicrotask(() => this.#fail(new CanceledError(signal.reason)));
      return;
    }
    signal?.addEventListener("abort", this);
    const timeoutMs = this.#options?.timeoutMs ?? Infinity;
    this.dueAt = timeoutMs === Infinity ? Infinity : settings.clock.now() + timeoutMs;
    active.add(this);
    this.#open();
  }

  // ---- opening

  #open(): void {
    if (this.#isDone) return;
    const { tickets, balancer } = this.#parts;
    this.#ticket = tickets.ticket;
    if (this.#ticket === null) {
      tickets.fetch().then(
        () => this.#open(),
        (error: unknown) => this.#fail(EtcdError.from(error)),
      );
      return;
    }
    for (let i = balancer.size; i >= 0; i--) {
      const channel = balancer.pick();
      if (channel === null) break;
      if (this.#start(channel, this.#ticket)) return;
    }
    balancer.wait(this);
  }

  #start(channel: Channel, ticket: Ticket): boolean {
    const metadata = this.#options?.requireLeader === true ? ticket.leader : ticket.plain;
    const raw = channel.start(this.#method.path, metadata, this);
    if (raw === null) return false;
    this.#channel = channel;
    this.#raw = raw;
    raw.startRead();
    for (const framed of this.#early) raw.sendMessageWithContext(this.#context, framed); // SC2
    this.#early = [];
    if (this.#isEnding) raw.halfClose();
    return true;
  }

  channelReady(): void {
    this.#open();
  }

  allFailed(): void {
    this.#fail(this.#parts.balancer.failure());
  }

  // ---- CallStream

  get endpoint(): string {
    return this.#channel?.endpoint ?? "";
  }

  send(request: Request): boolean {
    if (this.#isDone || this.#isEnding) return true;
    const framed = frame(this.#method.encode(request), this.#parts.settings.requestBytesMax);
    this.#unsentSizes.push(framed.length);
    this.#unsentBytes += framed.length;
    if (this.#raw === null) this.#early.push(framed);
    else this.#raw.sendMessageWithContext(this.#context, framed);
    return this.#unsentBytes < unsentBytesHigh;
  }

  get drained(): Promise<void> {
    if (this.#isDone || this.#unsentBytes < unsentBytesHigh) return Promise.resolve();
    if (this.#drained === null) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#drained = { promise, resolve };
    }
    return this.#drained.promise;
  }

  #sent(): void {
    this.#unsentBytes -= this.#unsentSizes.shift() ?? 0;
    if (this.#unsentBytes < unsentBytesHigh) this.#tellDrained();
  }

  #tellDrained(): void {
    this.#drained?.resolve();
    this.#drained = null;
  }

  end(): void {
    if (this.#isDone || this.#isEnding) return;
    this.#isEnding = true;
    this.#raw?.halfClose();
  }

  cancel(): void {
    if (!this.#isDone) this.#stop();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#readIsOwed || this.#isDone) return;
    this.#readIsOwed = false;
    this.#raw?.startRead();
  }

  // ---- what comes

  onReceiveMetadata(): void {
    // Nothing of interest to etcd's calls.
  }

  onReceiveMessage(message: Uint8Array): void {
    if (this.#isDone) return;
    let response: Response;
    try {
      response = unframe(message, this.#method, this.#channel!);
    } catch (error) {
      this.#fail(EtcdError.from(error));
      return;
    }
    this.#receiver.message(response);
    if (this.#isPaused) this.#readIsOwed = true;
    else if (!this.#isDone) this.#raw?.startRead(); // SC3
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.#isDone) return;
    this.#raw = null;
    if (status.code === grpcStatus.OK) {
      this.#stop();
      this.#receiver.ended();
      return;
    }
    const { balancer, tickets } = this.#parts;
    const error = statusError(this.#channel!.endpoint, status);
    if (error.code === grpcCode.unavailable) balancer.suspect(this.#channel!);
    // The next stream starts with a new token.
    if (needsNewToken(error, tickets)) tickets.refused(this.#ticket!);
    this.#fail(error);
  }

  // ---- the end

  handleEvent(): void {
    this.#fail(new CanceledError(this.#options?.signal?.reason));
  }

  abandon(): void {
    this.#fail(new ClientClosedError());
  }

  due(): void {
    const { path } = this.#method;
    const where = this.#channel === null ? this.#parts.balancer.failure().message : this.endpoint;
    const text = `${path} did not end within ${String(this.#options?.timeoutMs)} ms: ${where}`;
    this.#fail(new TimeoutError(text));
  }

  #fail(error: EtcdError): void {
    if (this.#isDone) return;
    this.#stop();
    this.#receiver.failed(error); // SC1
  }

  #stop(): void {
    this.#isDone = true;
    this.#parts.active.delete(this);
    this.#parts.balancer.stopWaiting(this);
    this.#options?.signal?.removeEventListener("abort", this);
    this.#raw?.cancelWithStatus(grpcStatus.CANCELLED, "given up");
    this.#raw = null;
    this.#early = [];
    this.#tellDrained();
  }
}
