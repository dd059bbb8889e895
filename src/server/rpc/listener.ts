/**
 * Listening sockets of the client port: accepts, bounds, tells HTTP/2 from HTTP/1.1 by the first
 * bytes (or by ALPN), and attaches an error handler to every socket before anything else happens
 * to it.
 *
 * LI1  A socket is in `sockets` from accept to close; the connection bound counts these.
 * LI2  A socket that has not shown its protocol, or not ended its handshake, has a deadline.
 */
import { lstatSync, rmSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import type { Server as TlsServer, TLSSocket } from "node:tls";
import { createServer as createTlsServer } from "node:tls";
import type { Logger } from "../../base/log.ts";
import type { Clock, Done } from "../../base/ports.ts";
import type { GrpcServer } from "../../http2/grpc.ts";
import { preface } from "../../http2/frame.ts";
import { parseListenUrl } from "./listen-url.ts";
import type { TransportStats } from "./socket-sink.ts";
import { SocketSink } from "./socket-sink.ts";

export interface TlsOptions {
  /** PEM texts. */
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** Certificates that may sign client certificates; given, clients must have one (as in etcd). */
  readonly trustedCa?: string | Uint8Array;
  readonly clientCertAuth?: boolean;
}

export interface ListenerLimits {
  readonly connectionsMax: number;
  readonly pendingHandshakesMax: number;
  readonly handshakeMs: number;
  /** From accept to the first bytes that tell the protocol. */
  readonly firstBytesMs: number;
  readonly lingerMs: number;
  readonly backlog: number;
  readonly tcpKeepAliveMs: number;
}

export interface ListenerDeps {
  readonly grpc: GrpcServer;
  readonly http1: HttpServer;
  readonly limits: ListenerLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: TransportStats;
  readonly tls?: TlsOptions;
}

/** What accepting a socket told of it. */
interface Origin {
  readonly isTls: boolean;
  readonly commonName: string;
}
const plain: Origin = { isTls: false, commonName: "" };

export class Listener {
  private readonly deps: ListenerDeps;
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly tlsServer: TlsServer | null;
  private closing: (() => void) | null = null;

  constructor(deps: ListenerDeps) {
    this.deps = deps;
    this.tlsServer = deps.tls === undefined ? null : this.makeTlsServer(deps.tls);
  }

  /** Listens; `done` gets the bound port (0 for a unix socket). */
  listen(url: string, done: Done<number>): void {
    const address = parseListenUrl(url);
    if (typeof address === "string") {
      queueMicrotask(() => {
        done(new Error(address), 0);
      });
      return;
    }
    const isTls = address.isTls && this.tlsServer !== null;
    if (address.isTls && !isTls) {
      queueMicrotask(() => {
        done(new Error(`cannot listen on "${url}": no certificate and key are given`), 0);
      });
      return;
    }
    const server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: this.deps.limits.tcpKeepAliveMs },
      (socket) => {
        this.onSocket(socket, isTls);
      },
    );
    const onError = (error: Error): void => {
      done(error, 0);
    };
    server.once("error", onError);
    const listening = (): void => {
      server.off("error", onError);
      server.on("error", (error) => {
        this.deps.log.warn("listener failed", { url, error: error.message });
      });
      this.servers.push(server);
      const bound = server.address();
      done(null, bound !== null && typeof bound === "object" ? bound.port : 0);
    };
    const backlog = this.deps.limits.backlog;
    if (address.kind === "unix") {
      removeSocketFile(address.path);
      server.listen({ path: address.path, backlog }, listening);
    } else if (address.host === "") {
      server.listen({ port: address.port, backlog }, listening);
    } else {
      const { host, port } = address;
      server.listen({ host, port, backlog, ipv6Only: false }, listening);
    }
  }

  private onSocket(socket: Socket, isTls: boolean): void {
    const { stats, limits, log } = this.deps;
    socket.on("error", (error) => {
      log.debug("connection failed", { remote: socket.remoteAddress, error: error.message });
    });
    const isFull = this.sockets.size >= limits.connectionsMax;
    const isBusy = isTls && stats.handshakesPending >= limits.pendingHandshakesMax;
    if (isFull || isBusy || this.closing !== null) {
      stats.connectionsRefused++;
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    stats.connections++;
    stats.connectionsTotal++;
    socket.once("close", () => {
      this.sockets.delete(socket);
      stats.connections--;
      if (this.closing !== null && this.sockets.size === 0) this.closing();
    });
    if (isTls) this.shake(socket);
    else this.sniff(socket, plain);
  }

  // ---- TLS

  private makeTlsServer(tls: TlsOptions): TlsServer {
    const needsClientCert = tls.trustedCa !== undefined || tls.clientCertAuth === true;
    const server = createTlsServer({
      cert: toPem(tls.cert),
      key: toPem(tls.key),
      ...(tls.trustedCa === undefined ? {} : { ca: toPem(tls.trustedCa) }),
      requestCert: needsClientCert,
      rejectUnauthorized: needsClientCert,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: this.deps.limits.handshakeMs,
    });
    server.on("secureConnection", (socket) => {
      this.onSecure(socket);
    });
    server.on("tlsClientError", (error, socket) => {
      this.deps.stats.handshakesPending--;
      this.deps.stats.handshakesFailed++;
      this.deps.log.warn("rejected connection on client endpoint", {
        "remote-addr": socket.remoteAddress,
        error: error.message,
      });
      socket.destroy();
    });
    return server;
  }

  /** Every handshake ends in `secureConnection` or `tlsClientError`, a lost connection too. */
  private shake(socket: Socket): void {
    this.deps.stats.handshakesPending++;
    this.tlsServer!.emit("connection", socket);
  }

  private onSecure(socket: TLSSocket): void {
    socket.on("error", (error) => {
      this.deps.log.debug("connection failed", { error: error.message });
    });
    this.deps.stats.handshakesPending--;
    const origin = { isTls: true, commonName: commonNameOf(socket) };
    if (socket.alpnProtocol === "h2") this.serveHttp2(socket, origin, []);
    else this.sniff(socket, origin);
  }

  // ---- which protocol

  /** Waits for the first bytes: HTTP/2's preface, or anything else (LI2). */
  private sniff(socket: Socket, origin: Origin): void {
    const seen: Uint8Array[] = [];
    let matched = 0;
    const timer = this.deps.clock.after(this.deps.limits.firstBytesMs, () => {
      socket.destroy();
    });
    const onClose = (): void => {
      timer.cancel();
    };
    const onData = (chunk: Buffer): void => {
      let i = 0;
      while (i < chunk.length && matched < preface.length && chunk[i] === preface[matched]) {
        i++;
        matched++;
      }
      seen.push(chunk);
      if (matched < preface.length && i === chunk.length) return;
      timer.cancel();
      socket.off("data", onData);
      socket.off("close", onClose);
      if (matched === preface.length) {
        this.serveHttp2(socket, origin, seen);
      } else {
        this.serveHttp1(socket, seen);
      }
    };
    socket.on("data", onData);
    socket.once("close", onClose);
  }

  private serveHttp1(socket: Socket, seen: readonly Uint8Array[]): void {
    socket.pause();
    for (let i = seen.length - 1; i >= 0; i--) socket.unshift(seen[i]!);
    this.deps.http1.emit("connection", socket);
    socket.resume();
  }

  private serveHttp2(socket: Socket, origin: Origin, seen: readonly Uint8Array[]): void {
    const { stats, clock, limits } = this.deps;
    const sink = new SocketSink(socket, origin.isTls, { stats, clock, lingerMs: limits.lingerMs });
    const connection = this.deps.grpc.connect(sink, {
      remote: remoteText(socket),
      commonName: origin.commonName,
    });
    sink.onDrained = () => {
      connection.outbound.drained();
    };
    const receive = (chunk: Uint8Array): void => {
      stats.bytesIn += chunk.length;
      // A plain view: cutting a Buffer into parts costs much more.
      connection.receive(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    };
    socket.on("data", receive);
    socket.once("end", () => {
      connection.disconnected("client closed");
    });
    socket.once("close", () => {
      sink.closed();
      connection.disconnected("connection closed");
      const { remote, endReason } = connection;
      this.deps.log.debug("connection ended", { remote, reason: endReason });
    });
    for (const chunk of seen) receive(chunk);
  }

  // ---- the end

  /** Takes no more connections, lets calls end for `graceMs`, then destroys what is left. */
  close(graceMs: number, done: () => void): void {
    if (this.closing !== null) return;
    for (const server of this.servers) server.close();
    const timer = this.deps.clock.after(graceMs, () => {
      for (const socket of this.sockets) socket.destroy();
    });
    let isDone = false;
    this.closing = () => {
      if (isDone) return;
      isDone = true;
      timer.cancel();
      done();
    };
    this.deps.grpc.drain();
    this.deps.http1.close();
    if (this.sockets.size === 0) queueMicrotask(this.closing);
  }
}

/** A socket left by an earlier process would make the address look taken; a file is not ours. */
function removeSocketFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSocket() === true) rmSync(path, { force: true });
}

function toPem(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text);
}

function remoteText(socket: Socket): string {
  const address = socket.remoteAddress;
  if (address === undefined) return "@"; // a unix socket's peer has no name; Go writes it so
  const host = address.includes(":") ? `[${address}]` : address;
  return `${host}:${socket.remotePort ?? 0}`;
}

/** The verified client certificate's common name, or "". */
function commonNameOf(socket: TLSSocket): string {
  if (!socket.authorized) return "";
  const subject = socket.getPeerCertificate(false).subject as
    { CN?: string | string[] } | undefined;
  const name = subject?.CN;
  return (Array.isArray(name) ? name[name.length - 1] : name) ?? "";
}
