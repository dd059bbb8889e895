/**
 * The small requests of the client and metrics ports: version, health and metrics. Status, headers
 * and bodies are etcd's, to the byte where a program may read them.
 */
import { utf8 } from "../../base/bytes.ts";
import type { MetricRegistry } from "../../base/metrics.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../http2/types.ts";
import type { ServerMetrics } from "../metrics/names.ts";
import { createProbes } from "./probes.ts";
import type { HealthSource } from "./health-source.ts";
import { createHealth } from "./health.ts";

export interface HandlerDeps {
  readonly health: HealthSource;
  readonly registry: MetricRegistry;
  readonly metrics: ServerMetrics;
}

type Respond = (response: HttpResponse) => void;

export interface HttpHandlers {
  /** Everything the client port answers. */
  readonly client: HttpHandler;
  /** The metrics listeners: metrics and health alone. */
  readonly metricsOnly: HttpHandler;
}

export function createHttpHandlers(deps: HandlerDeps): HttpHandlers {
  const health = createHealth(deps.health, deps.metrics);
  const probes = createProbes(deps.health, deps.metrics);
  const shared = (request: HttpRequest, respond: Respond): boolean => {
    const { path } = request;
    if (path === "/metrics") respond(metricsPage(deps.registry));
    else if (path === "/health") onlyGet(request, respond, health);
    else if (probes.has(path)) onlyGet(request, respond, probes.answer);
    else return false;
    return true;
  };
  return {
    client: (request, answer) => {
      const respond: Respond = (response) => {
        answer({ ...response, headers: [...corsHeaders, ...response.headers] });
      };
      if (request.method === "OPTIONS") {
        respond({ status: 200, headers: [], body: utf8("") });
      } else if (request.path === "/version") {
        onlyGet(request, respond, (_, then) => {
          then(json(versionBody(deps.health)));
        });
      } else if (!shared(request, respond)) {
        respond(plainError(404, "404 page not found"));
      }
    },
    metricsOnly: (request, respond) => {
      if (!shared(request, respond)) respond(plainError(404, "404 page not found"));
    },
  };
}

// The defaults of --cors, which cannot be changed yet: every origin.
const corsHeaders: readonly (readonly [string, string])[] = [
  ["access-control-allow-headers", "accept, content-type, authorization"],
  ["access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE"],
  ["access-control-allow-origin", "*"],
];

function onlyGet(request: HttpRequest, respond: Respond, handler: HttpHandler): void {
  if (request.method === "GET") {
    handler(request, respond);
    return;
  }
  const error = plainError(405, "Method Not Allowed");
  respond({ ...error, headers: [["allow", "GET"], ...error.headers] });
}

function versionBody(health: HealthSource): string {
  const { server, cluster, storage } = health.versions();
  return JSON.stringify({
    etcdserver: server,
    etcdcluster: cluster ?? "not_decided",
    storage: storage ?? "unknown",
  });
}

function json(body: string): HttpResponse {
  return { status: 200, headers: [["content-type", "application/json"]], body: utf8(body) };
}

function metricsPage(registry: MetricRegistry): HttpResponse {
  const type = "text/plain; version=0.0.4; charset=utf-8";
  return { status: 200, headers: [["content-type", type]], body: utf8(registry.text()) };
}

/** An error as Go's net/http sends it: the text and a newline. */
function plainError(status: number, text: string): HttpResponse {
  return {
    status,
    headers: [
      ["content-type", "text/plain; charset=utf-8"],
      ["x-content-type-options", "nosniff"],
    ],
    body: utf8(`${text}\n`),
  };
}
