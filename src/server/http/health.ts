/** /health: alarms, then the leader, then a read; the first failure is the reason. */
import { utf8 } from "../../base/bytes.ts";
import type { HttpHandler, HttpResponse } from "../../http2/types.ts";
import type { ServerMetrics } from "../metrics/names.ts";
import type { HealthSource } from "./health-source.ts";

export function createHealth(source: HealthSource, metrics: ServerMetrics): HttpHandler {
  return ({ query }, respond) => {
    const answer = (reason: string): void => {
      if (reason === "") metrics.healthSuccess.value++;
      else metrics.healthFailures.value++;
      respond(page(reason));
    };
    const excluded = query.getAll("exclude");
    const isSerializable = query.get("serializable") === "true";
    const alarm = source.alarms().find((name) => !excluded.includes(name));
    if (alarm !== undefined) {
      answer(`ALARM ${alarm}`);
    } else if (!isSerializable && !source.hasLeader()) {
      answer("RAFT NO LEADER");
    } else {
      source.read(!isSerializable, (error) => {
        answer(error === null ? "" : `RANGE ERROR:${error.message}`);
      });
    }
  };
}

/** Values are texts, "true" included; only the failure ends with a newline. */
function page(reason: string): HttpResponse {
  const isHealthy = reason === "";
  const body = JSON.stringify({ health: String(isHealthy), reason });
  const type = ["content-type", "text/plain; charset=utf-8"] as const;
  return isHealthy
    ? { status: 200, headers: [type], body: utf8(body) }
    : {
        status: 503,
        headers: [type, ["x-content-type-options", "nosniff"]],
        body: utf8(`${body}\n`),
      };
}
