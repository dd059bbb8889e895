/** Endpoints as users and member lists write them. */

export interface Endpoint {
  /** As it was written. */
  readonly text: string;
  /** Where grpc-js connects: `dns:host:port` or `unix:path`. */
  readonly target: string;
  /** Sent as :authority. */
  readonly authority: string;
  /** The host for the certificate check. */
  readonly host: string;
  /** "optional": TLS when the client has TLS options. */
  readonly tls: "yes" | "no" | "optional";
}

const defaultPort = "2379";
const unixForm = /^(unixs?):(?:\/\/)?(.+)$/u;
const urlForm = /^(https?):\/\/([^/?#]+)\/?$/u;
/** An IPv6 address in brackets or a name or IPv4 address, and perhaps a port. */
const hostPortForm = /^(\[[0-9a-f:.%]+\]|[^:/?#[\]@\s]+)(?::(\d{1,5}))?$/iu;

function unixEndpoint(text: string, scheme: string, path: string): Endpoint {
  return {
    text,
    target: `unix:${path}`,
    authority: "localhost",
    host: path.slice(path.lastIndexOf("/") + 1),
    tls: scheme === "unixs" ? "yes" : "optional",
  };
}

/** Throws TypeError when the text is no endpoint. */
export function parseEndpoint(text: string): Endpoint {
  const unix = unixForm.exec(text);
  if (unix !== null) return unixEndpoint(text, unix[1]!, unix[2]!);
  const url = urlForm.exec(text);
  const parts = hostPortForm.exec(url?.[2] ?? text);
  const port = parts?.[2] ?? defaultPort;
  if (parts === null || Number(port) > 65_535) {
    throw new TypeError(
      `Endpoint "${text}" is not host:port, http://host:port, https://host:port or unix://path`,
    );
  }
  const host = parts[1]!;
  const tls = url === null ? "optional" : url[1] === "https" ? "yes" : "no";
  const authority = `${host}:${port}`;
  return { text, target: `dns:${authority}`, authority, host: host.replace(/^\[|\]$/gu, ""), tls };
}
