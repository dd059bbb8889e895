/** HTTP/1.1 on the client port: node's parser in front of the same small request handlers. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { concat, utf8 } from "../../base/bytes.ts";
import type { HttpHandler, HttpRequest } from "../../http2/types.ts";

export interface Http1Limits {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly headerBytesMax: number;
  readonly bodyBytesMax: number;
}

const checkMsMax = 1000;

/** A server that is given its sockets: `emit("connection", socket)`. */
export function createHttp1Server(handler: HttpHandler, limits: Http1Limits): Server {
  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      maxHeaderSize: limits.headerBytesMax,
      connectionsCheckingInterval: Math.min(limits.headersMs, checkMsMax),
    },
    (request, response) => {
      readBody(request, limits.bodyBytesMax, (body) => {
        if (body === null) {
          response.writeHead(413, { connection: "close" }).end("request body too large\n");
        } else {
          answer(handler, request, body, response);
        }
      });
    },
  );
  server.on("clientError", (error, socket) => {
    // Not HTTP at all (a bad HTTP/2 preface, say): an answer in HTTP/1.1 would mean nothing.
    const isHttp = (error as NodeJS.ErrnoException).code !== "HPE_INVALID_METHOD";
    if (isHttp && socket.writable)
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  // Nothing here is a tunnel: without listeners node would keep such sockets half-used.
  server.on("connect", (_request, socket) => socket.destroy());
  server.on("upgrade", (_request, socket) => socket.destroy());
  // Deadlines are looked at from "listening" on, and this server never listens itself.
  server.emit("listening");
  return server;
}

function readBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (body: Uint8Array | null) => void,
): void {
  const parts: Uint8Array[] = [];
  let total = 0;
  let isOver = false;
  request.on("error", () => {
    isOver = true;
  });
  request.on("data", (part: Uint8Array) => {
    if (isOver) return;
    total += part.length;
    if (total > bytesMax) {
      isOver = true;
      done(null);
    } else {
      parts.push(part);
    }
  });
  request.on("end", () => {
    if (!isOver) done(concat(parts));
  });
}

function answer(
  handler: HttpHandler,
  message: IncomingMessage,
  body: Uint8Array,
  response: ServerResponse,
): void {
  const target = message.url ?? "/";
  const queryAt = target.indexOf("?");
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const request: HttpRequest = {
    method: message.method ?? "GET",
    path: queryAt < 0 ? target : target.slice(0, queryAt),
    query: new URLSearchParams(queryAt < 0 ? "" : target.slice(queryAt + 1)),
    headers,
    body,
  };
  response.on("error", () => undefined);
  handler(request, (answered) => {
    if (response.destroyed || response.headersSent) return;
    response.statusCode = answered.status;
    try {
      for (const [name, value] of answered.headers) response.appendHeader(name, value);
    } catch {
      response.statusCode = 500;
      response.end(utf8("invalid response header\n"));
      return;
    }
    response.setHeader("content-length", answered.body.length);
    response.end(answered.body);
  });
}
