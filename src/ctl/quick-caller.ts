import { grpcCode } from "../base/grpc-code.ts";
import type { Caller, Method } from "../client/caller.ts";
import type { Connection } from "../client/connection.ts";
import { fromStatus, TimeoutError } from "../client/errors.ts";
import type { CallOptions } from "../client/types.ts";
import type { QuickEnd } from "./quick-call.ts";
import { quickBytesMax, quickCall } from "./quick-call.ts";
import type { Settings } from "./settings.ts";

export interface QuickTarget {
  readonly host: string;
  readonly port: number;
}

const plainEndpoint = /^(?:http:\/\/)?(\[[0-9a-fA-F:]+\]|[^:/?#[\]@\s]+):(\d{1,5})\/?$/;

/** The member to ask when nothing but one plain endpoint is given; else `undefined`. */
export function quickTarget(settings: Settings): QuickTarget | undefined {
  const { endpoints, login, secure, requestBytesMax, responseBytesMax } = settings;
  const hasFiles = [secure.cert, secure.key, secure.cacert, secure.serverName].some(
    (x) => x !== "",
  );
  const isPlain = !hasFiles && secure.isInsecureTransport && !secure.isVerifySkipped;
  const isUnlimited = requestBytesMax === 0 && responseBytesMax === 0;
  if (Object.keys(login).length > 0 || !isPlain || !isUnlimited || endpoints.length !== 1) {
    return undefined;
  }
  const match = plainEndpoint.exec(endpoints[0]!);
  if (match === null) return undefined;
  const port = Number(match[2]);
  return port > 65_535 ? undefined : { host: match[1]!.replace(/^\[|\]$/g, ""), port };
}

/**
 * Calls without the client's connections, as long as all goes well: a command starts sooner. What
 * may be tried again goes through a connection from then on.
 */
export class QuickCaller implements Caller {
  readonly #target: QuickTarget;
  readonly #connect: () => Promise<Connection>;
  #connection: Connection | undefined;
  readonly #closed = new AbortController();

  constructor(target: QuickTarget, connect: () => Promise<Connection>) {
    this.#target = target;
    this.#connect = connect;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const startedAt = process.hrtime.bigint();
    const message = method.encode(request);
    const { timeoutMs = Infinity } = options;
    if (this.#connection === undefined && message.length <= quickBytesMax) {
      const { path } = method;
      const end = await quickCall({ ...this.#target, path, message, timeoutMs });
      if (end.kind === "answered") return method.decode(end.message);
      if (!mayTryAgain(end, method.retry === "read")) throw failureOf(end);
    }
    this.#connection ??= await this.#connect();
    const passedMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
    const leftMs = Math.max(timeoutMs - passedMs, 1);
    return this.#connection.caller.call(method, request, { ...options, timeoutMs: leftMs });
  }

  /** Quick calls are no streams. */
  open(): never {
    throw new Error("a stream was asked of quick calls");
  }

  at(): Caller {
    return this;
  }

  close(): void {
    this.#closed.abort();
    this.#connection?.close();
  }
}

type Failed = Exclude<QuickEnd, { readonly kind: "answered" }>;

function mayTryAgain(end: Failed, isRead: boolean): boolean {
  if (end.kind === "unsent") return true;
  if (!isRead) return false;
  return end.kind === "lost" || (end.kind === "refused" && end.code === grpcCode.unavailable);
}

function failureOf(end: Failed): Error {
  if (end.kind === "refused") return fromStatus(end.code, end.text);
  if (end.kind === "late") return new TimeoutError("no answer in time");
  return fromStatus(grpcCode.unavailable, "error reading from server: EOF");
}
