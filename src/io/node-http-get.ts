import * as http from "node:http";
import * as https from "node:https";
import type { Done } from "../base/ports.ts";

/** What one GET was answered. */
export interface HttpGetAnswer {
  readonly status: number;
  /** The X-Etcd-Cluster-ID header; "" without one. */
  readonly clusterId: string;
  readonly body: Uint8Array;
}

/** PEM texts of this member and of whom it trusts. */
export interface HttpGetTls {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  readonly trustedCa?: string | Uint8Array;
}

/** A list of members is far smaller; more is not read. */
const bodyBytesMax = 4 * 1024 * 1024;

/**
 * Single GET requests over connections of their own, redirects not followed: what a member asks
 * before it has a transport. Fails without a whole answer within `timeoutMs`.
 */
export function createHttpGet(
  tls: HttpGetTls | null,
): (url: string, timeoutMs: number, done: Done<HttpGetAnswer>) => void {
  const secure =
    tls === null
      ? {}
      : {
          cert: Buffer.from(tls.cert),
          key: Buffer.from(tls.key),
          ...(tls.trustedCa === undefined ? {} : { ca: Buffer.from(tls.trustedCa) }),
        };
  return (url, timeoutMs, done) => {
    let isDone = false;
    const finish = (error: Error | null, answer: HttpGetAnswer | null): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      request?.destroy();
      done(error, answer as HttpGetAnswer);
    };
    const timer = setTimeout(() => {
      finish(new Error(`no answer within ${timeoutMs} ms`), null);
    }, timeoutMs);
    let request: http.ClientRequest | null = null;
    try {
      const options = { agent: false, ...secure };
      request = url.startsWith("https:") ? https.get(url, options) : http.get(url, options);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      setImmediate(finish, reason, null); // never before this call returned
      return;
    }
    request.on("error", (error) => {
      finish(error, null);
    });
    request.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > bodyBytesMax) finish(new Error(`answer exceeds ${bodyBytesMax} bytes`), null);
      });
      response.on("end", () => {
        const header = response.headers["x-etcd-cluster-id"];
        const clusterId = typeof header === "string" ? header : "";
        const body = new Uint8Array(Buffer.concat(parts));
        finish(null, { status: response.statusCode ?? 0, clusterId, body });
      });
      response.on("error", (error) => {
        finish(error, null);
      });
      response.on("close", () => {
        finish(new Error("connection closed before the end of the answer"), null);
      });
    });
  };
}
