/** URLs of flags: parsed, refused and sorted as etcd does it. */
import { ValueError } from "./go-values.ts";

export interface ConfigUrl {
  readonly scheme: "http" | "https" | "unix" | "unixs";
  /** `host:port`; for unix sockets the first part of the path. */
  readonly host: string;
  /** Empty but for unix sockets. */
  readonly path: string;
  /** As etcd prints it. */
  readonly text: string;
}

/** Comma-separated URLs, sorted by their text. */
export function parseUrls(text: string): ConfigUrl[] {
  return parseUrlList(text.split(",")).sort((a, b) =>
    a.text < b.text ? -1 : a.text > b.text ? 1 : 0,
  );
}

/** At least one URL, in the given order. Throws ValueError with etcd's text. */
export function parseUrlList(texts: readonly string[]): ConfigUrl[] {
  if (texts.length === 0) throw new ValueError("no valid URLs given");
  return texts.map((part) => parseUrl(part.trim()));
}

/** As {@link parseUrls}, each URL once; an empty text is no URL at all. */
export function parseUniqueUrls(text: string): ConfigUrl[] {
  if (text === "") return [];
  const seen = new Set<string>();
  return parseUrls(text).filter((url) => !seen.has(url.text) && seen.add(url.text));
}

function parseUrl(text: string): ConfigUrl {
  const { scheme, host, path } = splitUrl(text);
  if (scheme === "unix" || scheme === "unixs") return { scheme, host, path, text };
  if (scheme !== "http" && scheme !== "https") {
    throw new ValueError(`URL scheme must be http, https, unix, or unixs: ${text}`);
  }
  if (splitHostPort(host) === null) {
    throw new ValueError(`URL address does not have the form "host:port": ${text}`);
  }
  if (path !== "") throw new ValueError(`URL must not contain a path: ${text}`);
  return { scheme, host, path, text };
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
}

/** Go's url.Parse as far as flags need it, with its texts. */
function splitUrl(text: string): UrlParts {
  const fail = (why: string): never => {
    throw new ValueError(`parse ${JSON.stringify(text)}: ${why}`);
  };
  if (/\p{Cc}/u.test(text)) {
    return fail("net/url: invalid control character in URL");
  }
  if (text.startsWith(":")) return fail("missing protocol scheme");
  const schemed = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/.exec(text);
  const scheme = (schemed?.[1] ?? "").toLowerCase();
  const rest = schemed?.[2] ?? text;
  if (schemed === null && /^[^/?#]*:/.test(text)) {
    return fail("first path segment in URL cannot contain colon");
  }
  const authority = /^\/\/([^/?#]*)(.*)$/.exec(rest);
  if (authority === null) return { scheme, host: "", path: rest };
  const host = (authority[1] ?? "").replace(/^.*@/, "");
  if (host.startsWith("[") && !host.includes("]")) return fail("missing ']' in host");
  const port = host.startsWith("[")
    ? host.slice(host.lastIndexOf("]") + 1)
    : /:[^:]*$/.exec(host)?.[0];
  // A path of a unix socket may look like anything; only the others have ports.
  if (port !== undefined && port !== "" && !/^:[0-9]*$/.test(port)) {
    return fail(`invalid port ${JSON.stringify(port)} after host`);
  }
  return { scheme, host, path: authority[2] ?? "" };
}

export interface HostPort {
  readonly host: string;
  readonly port: string;
}

/** `host:port` or `[ipv6]:port`; null without a port or with stray colons. */
export function splitHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  return match === null ? null : { host: match[1] ?? match[2] ?? "", port: match[3] ?? "" };
}

/** Whether a listener can bind to it without a name look-up. */
export function isIp(host: string): boolean {
  const v4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
  if (v4.test(host)) return true;
  if (!host.includes(":") || /[^0-9a-fA-F:.]/.test(host)) return false;
  const [head = "", tail, more] = host.split("::");
  if (more !== undefined) return false;
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const all = [...groups(head), ...groups(tail ?? "")];
  const last = all.at(-1) ?? "";
  const dotted = v4.test(last);
  const plain = dotted ? all.slice(0, -1) : all;
  if (!plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = plain.length + (dotted ? 2 : 0);
  return tail === undefined ? count === 8 : count < 8;
}

export function isUnix(url: ConfigUrl): boolean {
  return url.scheme === "unix" || url.scheme === "unixs";
}
