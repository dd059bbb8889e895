import type { Caller, Method, RetryRule } from "./caller.ts";
import type { CallOptions } from "./types.ts";

interface Encodes<T> {
  encode(value: T): Uint8Array;
}

interface Decodes<T> {
  decode(bytes: Uint8Array): T;
}

/** The methods of one service: `method("MemberList", "read", request, response)`. */
export function methodsOf(service: string) {
  return <Request, Response>(
    name: string,
    retry: RetryRule,
    request: Encodes<Request>,
    response: Decodes<Response>,
  ): Method<Request, Response> => ({
    path: `/${service}/${name}`,
    retry,
    encode: (value) => request.encode(value),
    decode: (bytes) => response.decode(bytes),
  });
}

/** For calls about one member: without an endpoint the balancer chooses it. */
export interface EndpointOptions extends CallOptions {
  /** "host:port", as the client's own endpoints are written. */
  readonly endpoint?: string;
}

export function callerAt(caller: Caller, options: EndpointOptions | undefined): Caller {
  return options?.endpoint === undefined ? caller : caller.at(options.endpoint);
}

/** Options of calls that wait as long as it takes, unless the caller says otherwise. */
export function patient(options: CallOptions | undefined): CallOptions {
  return { timeoutMs: Infinity, ...options };
}
