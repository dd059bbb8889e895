import { ExitError, exitCode } from "../../cli/run.ts";

/** The URLs of a list with commas, checked as Go's client checks them. @throws ExitError */
export function checkPeerUrls(list: string): string[] {
  const urls = list.split(",");
  for (const url of urls) {
    const problem = problemOf(url.trim());
    if (problem !== undefined) throw new ExitError(exitCode.error, problem);
  }
  return urls;
}

function problemOf(url: string): string | undefined {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/.exec(url);
  const [, scheme = "", host = "", path = ""] = match ?? [];
  switch (scheme.toLowerCase()) {
    case "http":
    case "https":
      if (!/^(?:\[[^\]]*\]|[^:[\]]*):[^:]*$/.test(host)) {
        return `URL address does not have the form "host:port": ${url}`;
      }
      return path === "" ? undefined : `URL must not contain a path: ${url}`;
    case "unix":
    case "unixs":
      return undefined;
    default:
      return `URL scheme must be http, https, unix, or unixs: ${url}`;
  }
}
