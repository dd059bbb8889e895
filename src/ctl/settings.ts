/** What the global flags say about the servers: endpoints, TLS, who signs in. */
import type { FlagSet } from "../cli/flag.ts";
import { goQuote } from "../cli/go-quote.ts";
import { ExitError, exitCode } from "../cli/run.ts";
import { errorText } from "../cli/system-error.ts";
import type { ClientOptions, TlsOptions } from "../client/client-options.ts";
import type { CtlCall } from "./commands/spec.ts";

export interface SecureFlags {
  readonly cert: string;
  readonly key: string;
  readonly cacert: string;
  readonly serverName: string;
  readonly isInsecureTransport: boolean;
  readonly isVerifySkipped: boolean;
}

export interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
}

/** Everything to reach a cluster but the endpoints. */
export interface Settings {
  readonly endpoints: readonly string[];
  readonly secure: SecureFlags;
  readonly login: Login;
  readonly dialTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  /** 0: the default. */
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
}

/** Reads the global flags, asks for a password where one is missing. @throws ExitError */
export async function readSettings(call: CtlCall): Promise<Settings> {
  const { flags } = call;
  return {
    endpoints: await readEndpoints(call),
    secure: readSecure(flags),
    login: await readLogin(call),
    ...readLimits(flags),
  };
}

export function readLimits(flags: FlagSet) {
  return {
    dialTimeoutMs: flags.durationMs("dial-timeout"),
    keepAliveMs: flags.durationMs("keepalive-time"),
    keepAliveTimeoutMs: flags.durationMs("keepalive-timeout"),
    requestBytesMax: flags.int("max-request-bytes"),
    responseBytesMax: flags.int("max-recv-bytes"),
  };
}

/** From SRV records, if a domain is given and has any; else the flag. */
export async function readEndpoints({ flags, output }: CtlCall): Promise<readonly string[]> {
  const given = flags.strings("endpoints").map((endpoint) => endpoint.trim());
  const domain = flags.string("discovery-srv");
  if (domain === "") return given;
  const { findEndpoints } = await import("./srv.ts");
  const found = await findEndpoints(domain, flags.string("discovery-srv-name"));
  const isInsecureTaken = flags.bool("insecure-discovery");
  const taken = found.filter((endpoint) => {
    if (isInsecureTaken || !endpoint.startsWith("http://")) return true;
    output.err(`ignoring discovered insecure endpoint ${goQuote(endpoint)}\n`);
    return false;
  });
  return taken.length === 0 ? given : taken;
}

function readSecure(flags: FlagSet): SecureFlags {
  const file = (name: string): string => {
    const path = flags.string(name);
    if (path === "" && flags.isChanged(name)) {
      throw new ExitError(exitCode.badArgs, `empty string is passed to --${name} option`);
    }
    return path;
  };
  const isInsecure = flags.bool("insecure-discovery");
  return {
    cert: file("cert"),
    key: file("key"),
    cacert: file("cacert"),
    serverName: isInsecure ? "" : flags.string("discovery-srv"),
    isInsecureTransport: flags.bool("insecure-transport"),
    isVerifySkipped: flags.bool("insecure-skip-tls-verify"),
  };
}

async function readLogin({ flags, context }: CtlCall): Promise<Login> {
  const token = flags.string("auth-jwt-token");
  if (token !== "") return { token };
  const ask = (): Promise<string> => context.stdin.hiddenLine("Password: ");
  return splitLogin(flags.string("user"), flags.string("password"), ask);
}

/** `user`, `user:password`, or the two apart; what is missing is asked for. */
export async function splitLogin(
  user: string,
  password: string,
  ask: () => Promise<string>,
): Promise<Login> {
  if (user === "") return {};
  if (password !== "") return { username: user, password };
  const colon = user.indexOf(":");
  if (colon === -1) return { username: user, password: await ask() };
  return { username: user.slice(0, colon), password: user.slice(colon + 1) };
}

/** Servers end connections that are probed more often; Go's client takes no less either. */
const keepAliveMinMs = 10_000;

/** What the client is made with. @throws ExitError when certificates cannot be read. */
export function clientOptions(settings: Settings): ClientOptions {
  const { endpoints, login, keepAliveMs, keepAliveTimeoutMs } = settings;
  const { requestBytesMax, responseBytesMax } = settings;
  if (endpoints.length === 0) {
    throw new ExitError(exitCode.badConnection, "etcdclient: no available endpoints");
  }
  if (responseBytesMax > 0 && requestBytesMax > responseBytesMax) {
    throw new ExitError(
      exitCode.badConnection,
      `gRPC message recv limit (${responseBytesMax} bytes) must be greater than ` +
        `send limit (${requestBytesMax} bytes)`,
    );
  }
  const tls = tlsOptions(settings.secure);
  // Without a password Go's client does not sign in.
  const isLogin = login.password !== undefined && login.password !== "" && login.username !== "";
  return {
    endpoints,
    // Of signing in; every other call says how long it waits.
    timeoutMs: Math.max(settings.dialTimeoutMs, 1),
    ...(isLogin ? login : {}),
    ...(login.token === undefined ? {} : { token: login.token }),
    ...(tls === undefined ? {} : { tls }),
    keepAlive: {
      intervalMs: Math.max(keepAliveMs, keepAliveMinMs),
      timeoutMs: Math.max(keepAliveTimeoutMs, 1),
    },
    ...(requestBytesMax > 0 ? { requestBytesMax } : {}),
    ...(responseBytesMax > 0 ? { responseBytesMax } : {}),
  };
}

function tlsOptions(secure: SecureFlags): TlsOptions | undefined {
  const { cert, key, cacert, serverName, isInsecureTransport, isVerifySkipped } = secure;
  const hasFiles = cert !== "" || key !== "" || cacert !== "" || serverName !== "";
  if (!hasFiles && isInsecureTransport && !isVerifySkipped) return undefined;
  if ((cert === "") !== (key === "")) {
    const shown = `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`;
    throw new ExitError(exitCode.badArgs, shown);
  }
  return {
    ...(cert === "" ? {} : { cert: readPem(cert), key: readPem(key) }),
    ...(cacert === "" ? {} : { ca: readPem(cacert) }),
    ...(serverName === "" ? {} : { serverName }),
    ...(isVerifySkipped ? { insecureSkipVerify: true } : {}),
  };
}

function readPem(path: string): Uint8Array {
  try {
    return process.getBuiltinModule("node:fs").readFileSync(path);
  } catch (error) {
    throw new ExitError(exitCode.badArgs, errorText(error));
  }
}
