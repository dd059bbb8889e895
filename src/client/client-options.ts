/** How a client is configured, with every default and bound. */
import type { ClientClock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { parseEndpoint, type Endpoint } from "./endpoints.ts";

/** PEM, as text or bytes. */
export type Pem = string | Uint8Array;

export interface TlsOptions {
  /** Certificates to trust; default: those Node trusts. */
  readonly ca?: Pem | readonly Pem[];
  /** Certificate chain and key that show who the client is (mutual TLS): both or none. */
  readonly cert?: Pem;
  readonly key?: Pem;
  readonly passphrase?: string;
  /** Name to expect in the server's certificate instead of the endpoint's host. */
  readonly serverName?: string;
  /** Accept any certificate. The connection is then open to anyone in between. */
  readonly insecureSkipVerify?: boolean;
}

export interface KeepAliveOptions {
  /** Silence after which a connection with calls is probed. Servers refuse less than 5 s. */
  readonly intervalMs?: number;
  /** Wait for the probe's answer before the connection counts as dead. */
  readonly timeoutMs?: number;
  /** Probe connections without calls too. */
  readonly withoutCalls?: boolean;
}

export interface ClientOptions {
  /**
   * `host:port`, `http://host:port`, `https://host:port`, `unix://path` or `unixs://path`; one or
   * several, also as one text with commas. Default: 127.0.0.1:2379.
   */
  readonly endpoints?: string | readonly string[];
  /**
   * TLS for https:// and for endpoints without a scheme. As a function it is asked at every
   * connection, so that renewed certificates are taken up.
   */
  readonly tls?: TlsOptions | (() => TlsOptions);
  /** User and password; the client fetches tokens and renews them. */
  readonly username?: string;
  readonly password?: string;
  /** A fixed token (JWT) instead of user and password. */
  readonly token?: string;
  /** Longest time for a call with all its retries. Default 10,000; Infinity: no limit. */
  readonly timeoutMs?: number;
  /**
   * With several endpoints: time after which an unanswered read is tried on another one. Default:
   * a third of the call's time. The last try has all the time that is left.
   */
  readonly readTryTimeoutMs?: number;
  /** Longest time for connecting to one endpoint, TLS included. Default 3,000. */
  readonly connectTimeoutMs?: number;
  /** Default: every 10,000 ms, answer within 5,000, only with calls; false: never. */
  readonly keepAlive?: KeepAliveOptions | false;
  /** Largest request. Default 2 MiB; servers take 1.5 MiB unless configured otherwise. */
  readonly requestBytesMax?: number;
  /** Largest answer. Default 2^31 - 1. */
  readonly responseBytesMax?: number;
  /** Most retries of a call. Default 100. */
  readonly retriesMax?: number;
  /** First wait between retries; doubles up to ten times as much. Default 25. */
  readonly backoffMs?: number;
  /** Part of the wait that is random, 0 to 1. Default 0.1. */
  readonly backoffJitter?: number;
  /** Takes the endpoints from the cluster's member list this often. Default 0: never. */
  readonly autoSyncIntervalMs?: number;
  /** Put in front of the user agent that servers log. */
  readonly userAgent?: string;
  /** For tests. */
  readonly clock?: ClientClock;
  /** For tests; as Math.random. */
  readonly random?: () => number;
}

/** Options with their defaults, checked. */
export interface ClientSettings {
  readonly endpoints: readonly Endpoint[];
  readonly tls: (() => TlsOptions) | null;
  readonly user: { readonly name: string; readonly password: string } | null;
  readonly token: string;
  readonly timeoutMs: number;
  readonly readTryTimeoutMs: number | null;
  readonly connectTimeoutMs: number;
  readonly keepAlive: Required<KeepAliveOptions> | null;
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
  readonly retriesMax: number;
  readonly backoffMs: number;
  readonly backoffJitter: number;
  readonly autoSyncIntervalMs: number;
  readonly userAgent: string;
  readonly clock: ClientClock;
  readonly random: () => number;
}

const defaultEndpoint = "127.0.0.1:2379";
const int32Max = 2 ** 31 - 1;

function within(name: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max)) {
    throw new RangeError(`Option ${name} is ${value}; it must be ${min} to ${max}`);
  }
  return value;
}

function endpointList(given: string | readonly string[]): string[] {
  const texts = (typeof given === "string" ? [given] : given).flatMap((text) => text.split(","));
  const list = [...new Set(texts.map((text) => text.trim()).filter((text) => text !== ""))];
  if (list.length === 0) throw new TypeError("At least one endpoint is required");
  return list;
}

function keepAliveSettings(given: ClientOptions["keepAlive"]): Required<KeepAliveOptions> | null {
  if (given === false) return null;
  const { intervalMs = 10_000, timeoutMs = 5_000, withoutCalls = false } = given ?? {};
  within("keepAlive.intervalMs", intervalMs, 1, int32Max);
  within("keepAlive.timeoutMs", timeoutMs, 1, int32Max);
  return { intervalMs, timeoutMs, withoutCalls };
}

function user(options: ClientOptions): ClientSettings["user"] {
  const { username = "", password = "", token = "" } = options;
  if (token !== "" && (username !== "" || password !== "")) {
    throw new TypeError("Options token and username/password exclude each other");
  }
  if (password !== "" && username === "") throw new TypeError("Option password needs username");
  return username === "" ? null : { name: username, password };
}

function tlsSettings(given: ClientOptions["tls"]): ClientSettings["tls"] {
  if (given === undefined) return null;
  return typeof given === "function" ? given : () => given;
}

/** Throws TypeError or RangeError naming the option that is wrong. */
export function clientSettings(options: ClientOptions): ClientSettings {
  const time = (name: keyof ClientOptions, standard: number): number => {
    const value = options[name];
    return within(name, typeof value === "number" ? value : standard, 1, Infinity);
  };
  const { readTryTimeoutMs, autoSyncIntervalMs = 0 } = options;
  return {
    endpoints: endpointList(options.endpoints ?? defaultEndpoint).map(parseEndpoint),
    tls: tlsSettings(options.tls),
    user: user(options),
    token: options.token ?? "",
    timeoutMs: time("timeoutMs", 10_000),
    readTryTimeoutMs: readTryTimeoutMs === undefined ? null : time("readTryTimeoutMs", 1),
    connectTimeoutMs: time("connectTimeoutMs", 3_000),
    keepAlive: keepAliveSettings(options.keepAlive),
    requestBytesMax: within(
      "requestBytesMax",
      options.requestBytesMax ?? 2 * 1024 * 1024,
      1,
      int32Max,
    ),
    responseBytesMax: within("responseBytesMax", options.responseBytesMax ?? int32Max, 1, int32Max),
    retriesMax: within("retriesMax", options.retriesMax ?? 100, 0, int32Max),
    backoffMs: within("backoffMs", options.backoffMs ?? 25, 0, int32Max),
    backoffJitter: within("backoffJitter", options.backoffJitter ?? 0.1, 0, 1),
    autoSyncIntervalMs: within("autoSyncIntervalMs", autoSyncIntervalMs, 0, int32Max),
    userAgent: options.userAgent ?? "",
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}
