/**
 * What the transport offers to services, and what a service is to the transport.
 * The transport knows nothing of etcd; a service knows nothing of HTTP/2.
 */

/** One gRPC method. The functions are shared by all calls: a call's own state is `call.state`. */
export interface GrpcMethod {
  /** For example "/etcdserverpb.KV/Put". */
  readonly path: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  /** Streaming methods only: headers arrived, before any message. */
  open?(call: GrpcCall): void;
  /**
   * One whole message, decompressed. `bytes` is valid only during the call: copy what must last.
   */
  message(call: GrpcCall, bytes: Uint8Array): void;
  /**
   * The client sent its last message. For unary and server-streaming methods the transport checks
   * that exactly one came.
   */
  halfClosed?(call: GrpcCall): void;
  /**
   * The call ended without `finish` of ours: reset, disconnect or deadline. Nothing may be sent any
   * more.
   */
  cancelled?(call: GrpcCall): void;
  /**
   * The server wants to stop and takes no more calls: one that ends only when its client wants so
   * should finish now.
   */
  drained?(call: GrpcCall): void;
  /** Streaming: pending bytes fell below the low-water mark after `send` had returned false. */
  writable?(call: GrpcCall): void;
}

export interface GrpcCall {
  /** The service's own per-call state. */
  state: unknown;
  /** True once finished, cancelled or past its deadline: sends are ignored then. */
  readonly done: boolean;
  /** Whole-connection number, for logs and limits. */
  readonly connectionId: number;
  /** Remote address as text, for logs. */
  readonly remote: string;
  /** Verified client certificate's common name, or "". */
  readonly commonName: string;
  /** Request metadata by lower-case name; undefined when absent; the first value when repeated. */
  metadata(name: string): string | undefined;
  /**
   * Unary answer: headers, message, status OK in one go. `bytes[start..end)` is copied before
   * return.
   */
  reply(bytes: Uint8Array, start: number, end: number): void;
  /**
   * Unary answer of any size: `parts` are kept by reference, must never change, and leave in slices
   * under flow control. `released` is called once when they are not needed any more: sent, or the
   * call is over.
   */
  replyParts(parts: readonly Uint8Array[], totalBytes: number, released?: () => void): void;
  /**
   * Streaming answer message, copied before return. False: over the high-water mark, wait for
   * `writable`.
   */
  send(bytes: Uint8Array, start: number, end: number): boolean;
  /** Streaming message made of parts kept by reference (they must never change). */
  sendParts(parts: readonly Uint8Array[], totalBytes: number): boolean;
  /** Bytes accepted by send/sendParts and not yet handed to the socket. */
  readonly pendingBytes: number;
  /** Ends the call with a gRPC status. Code 0 after messages = OK. */
  finish(code: number, message: string): void;
}

/** Anything that is not gRPC: small requests with small answers, over HTTP/1.1 and HTTP/2 alike. */
export interface HttpRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}
export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}
/** Answers once. */
export type HttpHandler = (request: HttpRequest, respond: (response: HttpResponse) => void) => void;
