/**
 * The door between the areas of the client and its connections. An area describes a method once
 * (path, codec, retry rule) and calls it here; connection.ts is the real door, tests have a fake.
 */
import type { CallOptions } from "./types.ts";

/**
 * May a call be sent again after it failed? "read": whenever the transport failed. "write": only
 * when it is certain that it was not applied (it never left, or the member refused it as
 * unavailable before proposing), so that no write happens twice. "never": as said.
 */
export type RetryRule = "read" | "write" | "never";

export interface Method<Request, Response> {
  /** As in HTTP/2's :path, `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly retry: RetryRule;
  encode(request: Request): Uint8Array;
  decode(bytes: Uint8Array): Response;
}

/** Called in order; exactly one of `ended` and `failed` comes last. */
export interface StreamReceiver<Response> {
  message(response: Response): void;
  /** The server ended the stream without an error. */
  ended(): void;
  failed(error: Error): void;
}

export interface CallStream<Request> {
  /** Sends; false when the transport's buffer is full (await `drained` before sending much). */
  send(request: Request): boolean;
  readonly drained: Promise<void>;
  /** No more requests; answers may follow. */
  end(): void;
  /** Drops the stream; the receiver hears nothing more. */
  cancel(): void;
  /** Stops and resumes reading: back-pressure by flow control. */
  pause(): void;
  resume(): void;
  /** Endpoint that serves the stream, once known; else "". */
  readonly endpoint: string;
}

export interface Caller {
  call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response>;
  /**
   * Opens a stream on one member, chosen by the balancer; never retried here: who opens it knows
   * how to go on. Server-streaming methods send one request and end.
   */
  open<Request, Response>(
    method: Method<Request, Response>,
    receiver: StreamReceiver<Response>,
    options?: CallOptions,
  ): CallStream<Request>;
  /** A caller that talks to this endpoint only (status, defragment, hash, snapshot). */
  at(endpoint: string): Caller;
  /**
   * An answer within a stream refused the token (a watch's cancel reason): the next call or stream
   * starts with a new one.
   */
  tokenRefused?(): void;
  readonly closed: AbortSignal;
}
