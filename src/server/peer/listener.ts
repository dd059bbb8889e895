/**
 * The peer port: HTTP/1.1 over TCP, TLS or unix sockets. It carries requests to handlers.ts and
 * answers back.
 *
 * PP1  A connection must bring its headers, and a short request its body, within a time.
 * PP2  An answer is written once; what comes of a request after it is not read.
 * PP3  Every socket is closed by `close`, streams too.
 */
import { lstatSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { concat } from "../../base/bytes.ts";
import type { Clock, Done } from "../../base/ports.ts";
import {
  type BodyPieces,
  type HandlerDeps,
  handlePeerRequest,
  type HeaderField,
  type HttpReply,
  type PeerExchange,
} from "./handlers.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type {
  PeerListener,
  PeerListenOptions,
  PeerTls,
  StreamHold,
  StreamSink,
} from "./peer-options.ts";
import { toPem } from "./pem.ts";

const tcpKeepAliveMs = 30_000;
/** How often node:http looks for connections whose headers are late. */
const checkIntervalMs = 1_000;

/** Opens every URL or none. */
export function listenPeers(options: PeerListenOptions, done: Done<PeerListener | null>): void {
  const servers: Server[] = [];
  const ports: number[] = [];
  const close = (closed: () => void): void => {
    let open = servers.length;
    if (open === 0) {
      options.clock.after(0, closed);
      return;
    }
    for (const server of servers) {
      server.close(() => {
        if (--open === 0) closed();
      });
      server.closeAllConnections(); // PP3
    }
  };
  const openNext = (): void => {
    const url = options.urls[servers.length];
    if (url === undefined) {
      done(null, { ports, close });
      return;
    }
    listenOn(url, options, (error, opened) => {
      if (error === null && opened !== null) {
        servers.push(opened.server);
        ports.push(opened.port);
        openNext();
      } else {
        close(() => {
          done(error, null);
        });
      }
    });
  };
  openNext();
}

interface Opened {
  readonly server: Server;
  readonly port: number;
}

function listenOn(url: string, options: PeerListenOptions, done: Done<Opened | null>): void {
  const target = parseListenUrl(url);
  const problem = target === null ? "want scheme://host:port or unix://path" : tlsProblem(target);
  function tlsProblem({ isTls }: ListenTarget): string | null {
    return isTls && options.tls === undefined ? "no certificate and key are given" : null;
  }
  if (target === null || problem !== null) {
    options.clock.after(0, () => {
      done(new Error(`cannot listen for peers on "${url}": ${problem ?? ""}`), null);
    });
    return;
  }
  const server = createPeerServer(options, target.isTls ? options.tls : undefined);
  const failed = (error: Error): void => {
    done(error, null);
  };
  server.once("error", failed);
  if (target.address.path !== undefined) removeSocketFile(target.address.path);
  server.listen(target.address, () => {
    server.off("error", failed);
    server.on("error", (error) => {
      options.log.warn("peer listener failed", { url, error: error.message });
    });
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    done(null, { server, port });
  });
}

function createPeerServer(options: PeerListenOptions, tls: PeerTls | undefined): Server {
  const { limits } = options.inbound;
  const settings = {
    headersTimeout: limits.headersTimeoutMs, // PP1
    requestTimeout: 0, // a database file takes its time; other bodies have a deadline below
    connectionsCheckingInterval: Math.min(checkIntervalMs, limits.headersTimeoutMs),
    keepAliveTimeout: limits.readTimeoutMs,
    maxHeaderSize: limits.headerBytesMax,
    ...{ noDelay: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs },
  };
  const deps: HandlerDeps = options;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    handlePeerRequest(deps, new Exchange(request, response, options.clock, limits));
  };
  const server =
    tls === undefined
      ? createServer(settings, onRequest)
      : createTlsServer({ ...settings, ...secrets(tls, limits) }, onRequest);
  server.maxConnections = limits.connectionsMax;
  return server;
}

function secrets(tls: PeerTls, limits: PeerLimits) {
  const needsClientCert = tls.trustedCa !== undefined || tls.clientCertAuth === true;
  return {
    cert: toPem(tls.cert),
    key: toPem(tls.key),
    ...(tls.trustedCa === undefined ? {} : { ca: toPem(tls.trustedCa) }),
    requestCert: needsClientCert,
    rejectUnauthorized: needsClientCert,
    minVersion: "TLSv1.2" as const,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: limits.headersTimeoutMs,
  };
}

class Exchange implements PeerExchange {
  readonly method: string;
  readonly path: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #limits: PeerLimits;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    clock: Clock,
    limits: PeerLimits,
  ) {
    this.#request = request;
    this.#response = response;
    this.#clock = clock;
    this.#limits = limits;
    this.method = request.method ?? "";
    this.path = (request.url ?? "").replace(/[?#].*$/, "");
    response.on("error", () => undefined); // its close is what counts
  }

  get remoteAddress(): string {
    const { remoteAddress, remotePort } = this.#request.socket;
    return remoteAddress === undefined ? "@" : `${remoteAddress}:${remotePort ?? 0}`;
  }

  readonly header = (name: string): string => {
    const value = this.#request.headers[name];
    return typeof value === "string" ? value : (value?.[0] ?? "");
  };

  readBody(bytesMax: number, done: (error: Error | null, body: Uint8Array | null) => void): void {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    let isOver = false;
    const finish = (error: Error | null, body: Uint8Array | null): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      done(error, body);
    };
    const timer = this.#clock.after(this.#limits.bodyTimeoutMs, () => {
      finish(new Error("i/o timeout"), null); // PP1
    });
    this.#request.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > bytesMax) finish(null, null);
      else if (!isOver) parts.push(chunk);
    });
    this.#request.on("end", () => {
      finish(null, concat(parts));
    });
    this.#request.on("error", (error) => {
      finish(error, null);
    });
  }

  readPieces(pieces: BodyPieces): void {
    const request = this.#request;
    let isOver = false;
    let isTaking = false; // a piece is with the sink
    let isRead = false;
    const stall = (): { cancel(): void } =>
      this.#clock.after(this.#limits.snapshotStallMs, () => {
        abort(new Error("i/o timeout"));
      });
    let timer = stall();
    const abort = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      pieces.abort(error);
    };
    const end = (): void => {
      isOver = true;
      timer.cancel();
      pieces.end();
    };
    const next = (): void => {
      if (isOver) return;
      isTaking = false;
      if (isRead) {
        end();
        return;
      }
      timer = stall();
      request.resume();
    };
    request.on("data", (chunk: Uint8Array) => {
      if (isOver) return;
      isTaking = true;
      request.pause();
      timer.cancel(); // the sink's time is not the sender's
      pieces.data(chunk, next);
    });
    request.on("end", () => {
      if (isOver) return;
      isRead = true;
      // A pause does not hold back the end: the last piece may still be with the sink.
      if (!isTaking) end();
    });
    request.on("error", abort);
    request.on("close", () => {
      if (!isRead) abort(new Error("unexpected EOF"));
    });
  }

  answer({ status, headers, body }: HttpReply): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return; // PP2
    const all: Record<string, string> = Object.fromEntries(headers);
    if (status !== 204) all["Content-Length"] = String(body.length);
    const isRead = this.#request.complete || !hasBody(this.#request);
    // What is left of the body would be taken for the next request.
    if (!isRead) all["Connection"] = "close";
    response.writeHead(status, all);
    response.end(body, () => {
      if (!isRead) this.#linger();
    });
  }

  openStream(headers: readonly HeaderField[], opened: (sink: StreamSink) => StreamHold): void {
    const response = this.#response;
    response.writeHead(200, Object.fromEntries(headers));
    response.flushHeaders();
    const hold = opened(new ResponseSink(response));
    response.on("close", () => {
      hold.closed(null);
    });
  }

  /** Lets a sender that still writes see the answer before the connection ends. */
  #linger(): void {
    this.#request.resume();
    this.#clock.after(lingerMs, () => {
      this.#request.destroy();
    });
  }
}

const lingerMs = 500;

/** At the time a request without a body is answered it does not count as complete yet. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

class ResponseSink implements StreamSink {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.#response.write(bytes, (error) => {
      done(error ?? null);
    });
  }

  destroy(): void {
    this.#response.destroy();
  }
}

interface ListenTarget {
  readonly isTls: boolean;
  readonly address: { readonly host?: string; readonly port?: number; readonly path?: string };
}

/** http(s)://host:port or unix(s)://path; null for anything else. */
function parseListenUrl(url: string): ListenTarget | null {
  const unix = /^(unixs?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { isTls: unix[1] === "unixs", address: { path: unix[2]! } };
  const tcp = /^(https?):\/\/(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^[\]:/]*)):([0-9]{1,5})\/?$/.exec(url);
  const port = Number(tcp?.[4]);
  if (tcp === null || port > 65_535) return null;
  const host = tcp[2] ?? tcp[3] ?? "";
  return { isTls: tcp[1] === "https", address: { port, ...(host === "" ? {} : { host }) } };
}

/** A socket file left by an earlier process would be in the way. */
function removeSocketFile(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
}
