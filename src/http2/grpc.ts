/**
 * The gRPC server of all connections: finds the method of a request, keeps deadlines and counts,
 * and hands everything that is not gRPC to the HTTP handler.
 */
import type { Histogram } from "../base/metrics.ts";
import type { Clock, Timer, Turn } from "../base/ports.ts";
import type { Dispatcher } from "./connection.ts";
import { Connection } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { Call } from "./grpc-call.ts";
import { isGrpcContentType, quote, startsAsGrpc } from "./grpc-text.ts";
import { HttpStream } from "./http-stream.ts";
import type { Http2Limits } from "./limits.ts";
import type { Sink } from "./outbound.ts";
import { BufferPool } from "./outbound.ts";
import type { RequestHead } from "./request.ts";
import type { Stream } from "./stream.ts";
import type { GrpcMethod, HttpHandler } from "./types.ts";

/** Unpacks one gzip member of at most `bytesMax` bytes; a text says why not. */
export type Inflate = (bytes: Uint8Array, bytesMax: number) => Uint8Array | string;

/** One method and its counts, for metrics. */
export interface MethodEntry {
  readonly method: GrpcMethod;
  started: number;
  received: number;
  sent: number;
  /** Calls ended, by gRPC code. */
  readonly handled: number[];
  /** Where the calls' times are observed, if they are. */
  seconds: Histogram | null;
}

export interface GrpcServerOptions {
  readonly methods: readonly GrpcMethod[];
  readonly http: HttpHandler;
  readonly limits: Http2Limits;
  readonly clock: Clock;
  readonly turn: Turn;
  /** For `grpc-encoding: gzip`; a result "too large" means over the bound. */
  readonly inflate?: Inflate;
}

export interface Peer {
  readonly remote: string;
  readonly commonName: string;
}

const sweepMs = 1000;
/** Large output buffers kept for reuse, about 1 MiB each. */
const pooledBuffersMax = 16;

export class GrpcServer implements Dispatcher {
  readonly deadlines: Deadlines;
  /** By path. */
  readonly methods = new Map<string, MethodEntry>();
  readonly connections = new Set<Connection>();
  private readonly services = new Set<string>();
  private readonly options: GrpcServerOptions;
  private readonly pool = new BufferPool(pooledBuffersMax);
  private sweeper: Timer | null = null;
  private nextConnectionId = 1;

  constructor(options: GrpcServerOptions) {
    this.options = options;
    this.deadlines = new Deadlines(options.clock);
    for (const method of options.methods) {
      const handled = new Array<number>(32).fill(0);
      const counts = { started: 0, received: 0, sent: 0, handled, seconds: null };
      this.methods.set(method.path, { method, ...counts });
      this.services.add(method.path.slice(1, method.path.lastIndexOf("/")));
    }
  }

  /** A new connection whose bytes go to `receive`; the sink is used until `disconnected`. */
  connect(sink: Sink, peer: Peer): Connection {
    const { limits, clock, turn } = this.options;
    const id = this.nextConnectionId++;
    const connection = new Connection({
      ...{ id, limits, clock, turn, sink, pool: this.pool },
      ...{ remote: peer.remote, commonName: peer.commonName, dispatcher: this },
    });
    this.connections.add(connection);
    if (this.sweeper === null) this.armSweeper();
    return connection;
  }

  private armSweeper(): void {
    this.sweeper = this.options.clock.after(sweepMs, () => {
      this.sweeper = null;
      const now = this.options.clock.now();
      for (const connection of this.connections) connection.sweep(now);
      if (this.connections.size > 0) this.armSweeper();
    });
  }

  connectionOver(connection: Connection): void {
    this.connections.delete(connection);
  }

  accept(connection: Connection, id: number, head: RequestHead): Stream {
    if (!startsAsGrpc(head.contentType)) {
      return new HttpStream(connection, id, head, this.options.http);
    }
    if (!isGrpcContentType(head.contentType)) {
      const text = `invalid gRPC request content-type ${quote(head.contentType)}`;
      return new HttpStream(connection, id, head, (_request, respond) => {
        const headers = [
          ["content-type", "application/grpc"],
          ["grpc-status", "3"],
          ["grpc-message", text],
        ] as const;
        respond({ status: 415, headers, body: new Uint8Array(0) });
      });
    }
    // Heads are shared by equal requests, so the look-up is too.
    const known = head.target as MethodEntry | undefined;
    if (known !== undefined) return new Call(this, connection, id, head, known);
    const entry = this.methods.get(head.path);
    head.target = entry;
    return new Call(this, connection, id, head, entry);
  }

  /** What grpc-go says to a path that names no method. */
  unknownText(path: string): string {
    const at = path.lastIndexOf("/");
    if (!path.startsWith("/") || at <= 0) return `malformed method name: ${quote(path)}`;
    const service = path.slice(1, at);
    if (!this.services.has(service)) return `unknown service ${service}`;
    return `unknown method ${path.slice(at + 1)} for service ${service}`;
  }

  canInflate(encoding: string): boolean {
    return encoding === "gzip" && this.options.inflate !== undefined;
  }

  inflate(bytes: Uint8Array, bytesMax: number): Uint8Array | string {
    const inflate = this.options.inflate;
    return inflate === undefined ? "no decompressor" : inflate(bytes, bytesMax);
  }

  /** Every connection ends once its calls are done. */
  drain(): void {
    for (const connection of this.connections) connection.drain();
  }
}
