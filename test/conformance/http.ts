// The HTTP endpoints of the client port: status, content type and body on both servers.
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";

const requests: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/version"],
  ["GET", "/health"],
  ["GET", "/health?serializable=true"],
  ["GET", "/health?exclude=NOSPACE"],
  ["GET", "/health?exclude=BAD"],
  ["POST", "/health"],
  ["POST", "/version"],
  ["GET", "/livez"],
  ["GET", "/livez?verbose"],
  ["GET", "/livez/ping"],
  ["GET", "/livez/serializable_read"],
  ["GET", "/readyz"],
  ["GET", "/readyz?verbose"],
  ["GET", "/readyz?exclude=data_corruption&verbose"],
  ["GET", "/readyz?exclude=nothing"],
  ["GET", "/readyz/linearizable_read"],
  ["GET", "/readyz/nothing"],
  ["GET", "/nothing"],
  ["GET", "/"],
];

async function ask(server: Server, method: string, path: string): Promise<string> {
  const response = await fetch(`http://${server.endpoint}${path}`, { method });
  const type = response.headers.get("content-type") ?? "";
  const allow = response.headers.get("allow") ?? "";
  // Go etcd lists the checks in the order of a map.
  const body = (await response.text()).split("\n");
  if (body[0]?.startsWith("[") === true) body.sort();
  return `${response.status} type=${type} allow=${allow}\n${body.join("\n")}`;
}

export async function compareHttp(
  report: Report,
  pair: { readonly want: Server; readonly got: Server },
): Promise<void> {
  for (const [method, path] of requests) {
    const [want, got] = await Promise.all([
      ask(pair.want, method, path),
      ask(pair.got, method, path),
    ]);
    report.compare(`http ${method} ${path}`, want, got);
  }
}
