/**
 * Requests to peers over node:http and node:https.
 *
 * DI1  A request's events come after `open` returned, `end` is the last one and comes once; after
 *      `destroy` none comes.
 * DI2  Every socket has an error handler from its first moment (node:http gives it one).
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../../base/ports.ts";
import type { DialedCall, Dialer, DialEvents, DialRequest } from "./dial-port.ts";
import { createSharedLookup } from "./dialer-lookup.ts";
import type { PeerTls } from "./peer-options.ts";
import { toPem } from "./pem.ts";

/** An idle connection is let go before the peer does it: etcd's listeners wait five seconds. */
const idleMs = 4_000;
const tcpKeepAliveMs = 30_000;
/** Short requests to one URL at the same time; what is beyond waits. */
const pooledSocketsMax = 256;

export function createDialer(clock: Clock, tls?: PeerTls): Dialer {
  const pool = {
    ...{ keepAlive: true, keepAliveMsecs: tcpKeepAliveMs, maxSockets: pooledSocketsMax },
    ...{ timeout: idleMs, scheduling: "lifo" as const },
  };
  const lookup = createSharedLookup();
  const secrets =
    tls === undefined
      ? {}
      : {
          cert: toPem(tls.cert),
          key: toPem(tls.key),
          ...(tls.trustedCa === undefined ? {} : { ca: toPem(tls.trustedCa) }),
          minVersion: "TLSv1.2" as const,
        };
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent({ ...pool, ...secrets }) };

  const start = (request: DialRequest): ClientRequest => {
    const target = parseTarget(request.url);
    const headers: Record<string, string> = { ...request.headers };
    // node:http gives a GET's body no length by itself.
    if (request.body !== undefined) headers["Content-Length"] = String(request.body.length);
    const options: RequestOptions = {
      ...target.options,
      ...{ method: request.method, path: request.path, headers, lookup, noDelay: true },
      ...{ keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs },
    };
    if (!target.isTls) {
      return httpRequest({ ...options, agent: request.isLong ? false : agents.http });
    }
    return httpsRequest({
      ...{ ...options, ...secrets },
      agent: request.isLong ? false : agents.https,
    });
  };

  return {
    open(request, events) {
      let started: ClientRequest;
      try {
        started = start(request);
      } catch (error) {
        return failed(clock, error, events);
      }
      return new RunningCall(clock, started, request, events);
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

interface Target {
  readonly isTls: boolean;
  readonly options: RequestOptions;
}

/** @throws TypeError for what is no URL */
function parseTarget(url: string): Target {
  const unix = /^(unixs?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { isTls: unix[1] === "unixs", options: { socketPath: unix[2]! } };
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`cannot dial ${url}`);
  const isTls = protocol === "https:";
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { isTls, options: { host, port: port === "" ? (isTls ? 443 : 80) : Number(port) } };
}

/** A URL or header that node:http refuses: the same as a peer that cannot be reached. */
function failed(clock: Clock, error: unknown, events: DialEvents): DialedCall {
  const timer = clock.after(0, () => {
    events.end(error instanceof Error ? error : new Error(String(error)));
  });
  return {
    write() {},
    finish() {},
    destroy() {
      timer.cancel();
    },
  };
}

class RunningCall implements DialedCall {
  readonly #request: ClientRequest;
  readonly #events: DialEvents;
  #isOver = false;

  constructor(clock: Clock, started: ClientRequest, request: DialRequest, events: DialEvents) {
    this.#request = started;
    this.#events = events;
    const timer = clock.after(request.connectTimeoutMs, () => {
      this.#end(new Error(`dial ${request.url}: i/o timeout`));
    });
    const connected = (): void => {
      timer.cancel();
    };
    started.on("socket", (socket: Socket) => {
      if (started.reusedSocket) connected();
      else socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
    });
    started.on("response", (response) => {
      connected();
      this.#onResponse(response);
    });
    started.on("error", (error) => {
      connected();
      this.#end(error);
    });
    started.on("close", connected);
    if (request.hasPieces === true) started.flushHeaders();
    else started.end(request.body);
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#isOver) return;
    this.#request.write(bytes, (error) => {
      if (!this.#isOver && !error) done();
    });
  }

  finish(): void {
    if (!this.#isOver) this.#request.end();
  }

  destroy(): void {
    this.#isOver = true;
    this.#request.destroy();
  }

  #onResponse(response: IncomingMessage): void {
    if (this.#isOver) return;
    response.on("data", (chunk: Uint8Array) => {
      if (!this.#isOver) this.#events.data(chunk);
    });
    response.on("end", () => {
      this.#end(null);
    });
    response.on("error", (error) => {
      this.#end(error);
    });
    response.on("close", () => {
      this.#end(new Error("connection closed by remote peer"));
    });
    this.#events.head(response.statusCode ?? 0, (name) => {
      const value = response.headers[name];
      return value === undefined ? "" : String(value);
    });
  }

  /** DI1 */
  #end(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error !== null) this.#request.destroy();
    this.#events.end(error);
  }
}
