/** What `quorate-client` and `quorate/client` offer. */
export { EtcdClient } from "./client.ts";
export type { ClientOptions, KeepAliveOptions, Pem, TlsOptions } from "./client-options.ts";
export type { Caller, CallStream, Method, RetryRule, StreamReceiver } from "./caller.ts";
export { compare } from "./compare.ts";
export { op } from "./op.ts";
export * from "./errors.ts";
export type * from "./types.ts";
