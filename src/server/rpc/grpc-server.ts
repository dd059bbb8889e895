/** The client port: gRPC and small HTTP requests over HTTP/2 and HTTP/1.1, plain or TLS. */
import { gunzipSync } from "node:zlib";
import type { Logger } from "../../base/log.ts";
import type { Clock, Done, Turn } from "../../base/ports.ts";
import type { MethodEntry } from "../../http2/grpc.ts";
import { GrpcServer } from "../../http2/grpc.ts";
import type { Http2Limits } from "../../http2/limits.ts";
import { http2Defaults } from "../../http2/limits.ts";
import type { GrpcMethod, HttpHandler } from "../../http2/types.ts";
import type { Http1Limits } from "./http1.ts";
import { createHttp1Server } from "./http1.ts";
import type { ListenerLimits, TlsOptions } from "./listener.ts";
import { Listener } from "./listener.ts";
import type { TransportStats } from "./socket-sink.ts";

export interface ClientPortOptions {
  readonly methods: readonly GrpcMethod[];
  readonly http: HttpHandler;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly limits?: Partial<Http2Limits>;
  readonly listenerLimits?: Partial<ListenerLimits>;
  readonly http1Limits?: Partial<Http1Limits>;
  readonly tls?: TlsOptions;
}

export interface ClientPort {
  readonly stats: TransportStats;
  /** By path, for metrics. */
  readonly methods: ReadonlyMap<string, MethodEntry>;
  /** May be called for several URLs; `done` gets the bound port (0 for a unix socket). */
  listen(url: string, done: Done<number>): void;
  /** Ends gracefully, after `graceMs` by force. */
  close(graceMs: number, done: () => void): void;
}

const listenerDefaults: ListenerLimits = {
  connectionsMax: Infinity,
  pendingHandshakesMax: 1024,
  handshakeMs: 10_000,
  firstBytesMs: 10_000,
  lingerMs: 1000,
  backlog: 4096,
  tcpKeepAliveMs: 15_000,
};

const http1Defaults: Http1Limits = {
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 60_000,
  headerBytesMax: 64 * 1024,
  bodyBytesMax: http2Defaults.httpBodyBytesMax,
};

export function createGrpcServer(options: ClientPortOptions): ClientPort {
  const limits: Http2Limits = { ...http2Defaults, ...options.limits };
  const { methods, http, clock, turn, log } = options;
  const stats: TransportStats = {
    connections: 0,
    connectionsTotal: 0,
    connectionsRefused: 0,
    handshakesPending: 0,
    handshakesFailed: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  const grpc = new GrpcServer({ methods, http, limits, clock, turn, inflate });
  const bodyBytesMax = limits.httpBodyBytesMax;
  const http1 = createHttp1Server(http, {
    ...{ ...http1Defaults, bodyBytesMax },
    ...options.http1Limits,
  });
  const listener = new Listener({
    ...{ grpc, http1, clock, log, stats },
    limits: { ...listenerDefaults, ...options.listenerLimits },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  return {
    stats,
    methods: grpc.methods,
    listen: (url, done) => {
      listener.listen(url, done);
    },
    close: (graceMs, done) => {
      listener.close(graceMs, done);
    },
  };
}

/** One gzip body, never unpacked beyond the bound. */
function inflate(bytes: Uint8Array, bytesMax: number): Uint8Array | string {
  try {
    const out = gunzipSync(bytes, { maxOutputLength: bytesMax });
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === "ERR_BUFFER_TOO_LARGE") return "too large";
    return failure.message;
  }
}
