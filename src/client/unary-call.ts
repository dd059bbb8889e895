/**
 * One unary call with its retries: at most one try is on its way at a time.
 *
 * UC1  The promise is settled once; afterwards the call is in no list and has no listener.
 * UC2  A try that was given up still reports a status; that one is not the next try's.
 * UC3  A write is sent again only after a try that the server did not begin with (retry.ts).
 *
 *   begin --> token? --> channel? --> on its way --> settled
 *     ^         fetch      wait           |
 *     +------------ back-off <------------+ failed, and may be tried again
 */
import { status as grpcStatus, type Metadata } from "@grpc/grpc-js";

import { grpcCode } from "../base/grpc-code.ts";
import type { ActiveCall } from "./active-calls.ts";
import type { Waiter } from "./balancer.ts";
import { unframe, type CallParts } from "./call-parts.ts";
import type { Method } from "./caller.ts";
import type { CallListener, CallStatus, Channel, RawCall } from "./channel.ts";
import {
  CanceledError,
  ClientClosedError,
  MalformedResponseError,
  TimeoutError,
  type EtcdError,
} from "./errors.ts";
import { backoffMs, isUnprocessed, mayRetry, needsNewToken, statusError } from "./retry.ts";
import type { Ticket } from "./token.ts";
import type { CallOptions } from "./types.ts";

/** A refused token is renewed once per call, at once; changes of users cost a retry each. */
const renewalsMax = 1;
const noContext = {};
/** Without a limit for the call, an unanswered read is tried elsewhere after this time. */
const tryMsWithoutLimit = 5_000;

export class UnaryCall<Request, Response> implements CallListener, ActiveCall, Waiter {
  dueAt = Infinity;
  readonly #parts: CallParts;
  readonly #method: Method<Request, Response>;
  readonly #framed: Buffer;
  readonly #options: CallOptions | undefined;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: EtcdError) => void;
  readonly #timeoutMs: number;
  #deadlineAt = Infinity;
  #isDone = false;
  #channel: Channel | null = null;
  #raw: RawCall | null = null;
  #ticket: Ticket | null = null;
  #message: Uint8Array | null = null;
  #staleStatuses = 0;
  #tries = 0;
  #slowTries = 0;
  #renewals = 0;
  #lastError: EtcdError | null = null;
  #backoff: { cancel(): void } | null = null;

  constructor(
    parts: CallParts,
    method: Method<Request, Response>,
    framed: Buffer,
    options: CallOptions | undefined,
    resolve: (response: Response) => void,
    reject: (error: EtcdError) => void,
  ) {
    this.#parts = parts;
    this.#method = method;
    this.#framed = framed;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timeoutMs = options?.timeoutMs ?? parts.settings.timeoutMs;
  }

  begin(): void {
    const { settings, active } = this.#parts;
    const signal = this.#options?.signal;
    if (signal !== undefined) {
      if (signal.aborted) {
        this.#reject(new CanceledError(signal.reason));
        return;
      }
      signal.addEventListener("abort", this);
    }
    if (this.#timeoutMs !== Infinity) this.#deadlineAt = settings.clock.now() + this.#timeoutMs;
    this.dueAt = this.#deadlineAt;
    active.add(this);
    this.#try();
  }

  /** The caller's signal fired. */
  handleEvent(): void {
    this.#drop();
    this.#fail(new CanceledError(this.#options?.signal?.reason));
  }

  abandon(): void {
    this.#drop();
    this.#fail(new ClientClosedError());
  }

  due(now: number): void {
    if (now < this.#deadlineAt) {
      this.#slowTries++;
      this.dueAt = this.#deadlineAt;
      this.#drop();
      this.#suspectChannel();
      this.#try();
      return;
    }
    const hadChannel = this.#raw !== null;
    this.#drop();
    this.#fail(this.#tooLate(hadChannel));
  }

  channelReady(): void {
    this.#try();
  }

  allFailed(): void {
    // An endpoint may come back before the deadline.
  }

  // ---- one try

  #try(): void {
    if (this.#isDone) return;
    const { tickets, balancer } = this.#parts;
    this.#ticket = tickets.ticket;
    if (this.#ticket === null) {
      this.#fetchToken();
      return;
    }
    const metadata =
      this.#options?.requireLeader === true ? this.#ticket.leader : this.#ticket.plain;
    for (let i = balancer.size; i >= 0; i--) {
      const channel = balancer.pick(this.#channel);
      if (channel === null) break;
      if (this.#start(channel, metadata)) return;
    }
    balancer.wait(this);
  }

  #start(channel: Channel, metadata: Metadata): boolean {
    const raw = channel.start(this.#method.path, metadata, this);
    if (raw === null) return false;
    this.#channel = channel;
    this.#raw = raw;
    this.#message = null;
    this.#tries++;
    if (this.#parts.balancer.size > 1) this.#limitTry();
    raw.startRead();
    raw.sendMessageWithContext(noContext, this.#framed);
    raw.halfClose();
    return true;
  }

  /** Reads have time for a try on every endpoint; the last one has all that is left. */
  #limitTry(): void {
    const { settings, balancer, active } = this.#parts;
    this.dueAt = this.#deadlineAt;
    if (this.#method.retry !== "read" || this.#slowTries >= balancer.size - 1) return;
    const third = this.#timeoutMs === Infinity ? tryMsWithoutLimit : this.#timeoutMs / 3;
    const at = settings.clock.now() + (settings.readTryTimeoutMs ?? third);
    if (at >= this.#deadlineAt) return;
    this.dueAt = at;
    active.changed(this);
  }

  #fetchToken(): void {
    this.#parts.tickets.fetch().then(
      () => this.#try(),
      (error: unknown) => this.#fail(error as EtcdError),
    );
  }

  onReceiveMetadata(): void {
    // Nothing of interest to etcd's calls.
  }

  onReceiveMessage(message: Uint8Array): void {
    if (this.#staleStatuses === 0) this.#message = message;
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.#staleStatuses > 0) {
      this.#staleStatuses--; // UC2
      return;
    }
    if (this.#isDone) return;
    this.#raw = null;
    this.dueAt = this.#deadlineAt;
    if (status.code === grpcStatus.OK) this.#succeed();
    else this.#failedTry(status);
  }

  #succeed(): void {
    const channel = this.#channel!;
    try {
      if (this.#message === null) {
        throw new MalformedResponseError(channel.endpoint, this.#method.path, "no message");
      }
      const response = unframe(this.#message, this.#method, channel);
      this.#parts.balancer.trust(channel);
      this.#settle();
      this.#resolve(response);
    } catch (error) {
      this.#fail(error as EtcdError);
    }
  }

  #failedTry(status: CallStatus): void {
    const { tickets, balancer, settings } = this.#parts;
    const error = statusError(this.#channel!.endpoint, status);
    this.#lastError = error;
    if (error.code === grpcCode.unavailable) this.#suspectChannel();
    if (needsNewToken(error, tickets)) {
      tickets.refused(this.#ticket!);
      if (this.#renewals++ < renewalsMax) {
        this.#try();
        return;
      }
    }
    const about = {
      isUnprocessed: isUnprocessed(status),
      endpointCount: balancer.size,
      tries: this.#tries,
      requireLeader: this.#options?.requireLeader === true,
    };
    const mayTry = mayRetry(this.#method.retry, error, about);
    if (!mayTry || this.#tries > settings.retriesMax) this.#fail(error);
    else this.#tryLater(backoffMs(this.#tries, balancer.size, settings));
  }

  #tryLater(delayMs: number): void {
    if (delayMs <= 0) this.#try();
    else this.#backoff = this.#parts.settings.clock.after(delayMs, () => this.#try());
  }

  #suspectChannel(): void {
    if (this.#channel !== null) this.#parts.balancer.suspect(this.#channel);
  }

  // ---- the end

  #drop(): void {
    if (this.#raw === null) return;
    this.#staleStatuses++;
    this.#raw.cancelWithStatus(grpcStatus.CANCELLED, "given up");
    this.#raw = null;
  }

  #tooLate(wasOnItsWay: boolean): EtcdError {
    const { balancer } = this.#parts;
    if (!wasOnItsWay && this.#lastError !== null) return this.#lastError;
    if (!wasOnItsWay) return balancer.failure();
    const text = `${this.#method.path} was not answered by ${this.#channel!.endpoint}`;
    return new TimeoutError(`${text} within ${this.#timeoutMs} ms`, { cause: this.#lastError });
  }

  #settle(): void {
    this.#isDone = true;
    this.#parts.active.delete(this);
    if (this.#options?.signal !== undefined) {
      this.#options.signal.removeEventListener("abort", this);
    }
  }

  #fail(error: EtcdError): void {
    if (this.#isDone) return;
    this.#settle();
    this.#backoff?.cancel();
    this.#parts.balancer.stopWaiting(this);
    this.#reject(error); // UC1
  }
}
