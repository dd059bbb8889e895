/** A request that is not gRPC: collects the body, asks the handler, sends one answer. */
import type { Connection } from "./connection.ts";
import type { RequestHead } from "./request.ts";
import { Stream } from "./stream.ts";
import type { HttpHandler, HttpResponse } from "./types.ts";
import { concat, utf8 } from "../base/bytes.ts";

export class HttpStream extends Stream {
  private readonly handler: HttpHandler;
  private readonly body: Uint8Array[] = [];
  private answered = false;

  constructor(connection: Connection, id: number, head: RequestHead, handler: HttpHandler) {
    super(connection, id, head);
    this.handler = handler;
  }

  start(): void {
    if (this.head.contentLength > this.connection.limits.httpBodyBytesMax) this.refuseBody();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.answered) return;
    this.connection.heldBytes += end - start;
    this.body.push(bytes.slice(start, end));
    const limits = this.connection.limits;
    const isTooMuch =
      this.bodyBytes > limits.httpBodyBytesMax ||
      this.connection.heldBytes > limits.receiveBytesMax;
    if (isTooMuch) this.refuseBody();
  }

  private refuseBody(): void {
    const headers = [["content-type", "text/plain; charset=utf-8"]] as const;
    this.respond({ status: 413, headers, body: utf8("request body too large\n") });
  }

  onRemoteEnd(): void {
    if (this.answered) return;
    const head = this.head;
    const queryAt = head.path.indexOf("?");
    const headers = new Map<string, string>();
    if (head.authority !== "") headers.set("host", head.authority);
    for (const { name, value } of head.fields) {
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    const request = {
      method: head.method,
      path: queryAt < 0 ? head.path : head.path.slice(0, queryAt),
      query: new URLSearchParams(queryAt < 0 ? "" : head.path.slice(queryAt + 1)),
      headers,
      body: concat(this.body),
    };
    this.handler(request, (response) => {
      this.respond(response);
    });
  }

  private respond(response: HttpResponse): void {
    if (this.answered || this.closed) return;
    this.answered = true;
    this.dropBody();
    const outbound = this.connection.outbound;
    const isBodyless = this.head.method === "HEAD" || response.body.length === 0;
    const start = outbound.beginHeaders();
    outbound.encoder.write(outbound.out, ":status", String(response.status));
    for (const [name, value] of response.headers) {
      outbound.encoder.write(outbound.out, name.toLowerCase(), value);
    }
    outbound.encoder.write(outbound.out, "content-length", String(response.body.length));
    outbound.endHeaders(start, this.id, isBodyless);
    outbound.touch();
    if (isBodyless) {
      this.connection.localEnd(this);
      return;
    }
    this.ending = true;
    this.enqueue(response.body);
    outbound.schedule(this);
  }

  private dropBody(): void {
    for (const part of this.body) this.connection.heldBytes -= part.length;
    this.body.length = 0;
  }

  onDrain(): void {
    // One request, one answer: it ends by itself.
  }

  onSent(): void {
    // One answer, queued whole: nothing to produce meanwhile.
  }

  writeEnd(): void {
    this.connection.outbound.openEnd(this);
    this.connection.localEnd(this);
  }

  onClosed(): void {
    this.answered = true;
    this.dropBody();
  }
}
