/** /livez and /readyz, whole or one check of them (`/readyz/non_learner`). */
import { utf8 } from "../../base/bytes.ts";
import type { HttpHandler, HttpResponse } from "../../http2/types.ts";
import type { ServerMetrics } from "../metrics/names.ts";
import type { HealthSource } from "./health-source.ts";

/** Reports once: empty text for success, else the reason. */
type Check = (done: (reason: string) => void) => void;

interface Probe {
  readonly type: "livez" | "readyz";
  readonly checks: readonly (readonly [string, Check])[];
}

export interface Probes {
  has(path: string): boolean;
  readonly answer: HttpHandler;
}

export function createProbes(source: HealthSource, metrics: ServerMetrics): Probes {
  const read =
    (isLinearizable: boolean): Check =>
    (done) => {
      source.read(isLinearizable, (error) => {
        done(error === null ? "" : error.message);
      });
    };
  const serializable = ["serializable_read", read(false)] as const;
  const live: Probe = { type: "livez", checks: [serializable] };
  const ready: Probe = {
    type: "readyz",
    checks: [
      [
        "data_corruption",
        (done) => {
          done(source.alarms().includes("CORRUPT") ? "alarm activated: CORRUPT" : "");
        },
      ],
      serializable,
      ["linearizable_read", read(true)],
      [
        "non_learner",
        (done) => {
          done(source.isLearner() ? "not supported for learner" : "");
        },
      ],
    ],
  };
  const paths = new Map<string, Probe>();
  for (const probe of [live, ready]) {
    paths.set(`/${probe.type}`, probe);
    for (const check of probe.checks) {
      paths.set(`/${probe.type}/${check[0]}`, { type: probe.type, checks: [check] });
    }
  }
  return {
    has: (path) => paths.has(path),
    answer: ({ path, query }, respond) => {
      const probe = paths.get(path)!;
      // Excluding applies to the whole probe, not to one that was asked for by name.
      const excluded = path === `/${probe.type}` ? query.getAll("exclude") : [];
      const checks = probe.checks.filter(([name]) => !excluded.includes(name));
      runChecks(checks, (reasons) => {
        count(probe, checks, reasons, metrics);
        respond(page(checks, reasons, query.has("verbose")));
      });
    },
  };
}

/** Runs all; `done` gets their reasons in the same order. */
function runChecks(checks: Probe["checks"], done: (reasons: readonly string[]) => void): void {
  const reasons = checks.map(() => "");
  let waiting = checks.length;
  if (waiting === 0) done(reasons);
  checks.forEach(([, check], i) => {
    check((reason) => {
      reasons[i] = reason;
      if (--waiting === 0) done(reasons);
    });
  });
}

function count(
  probe: Probe,
  checks: Probe["checks"],
  reasons: readonly string[],
  metrics: ServerMetrics,
): void {
  checks.forEach(([name], i) => {
    const isWell = reasons[i] === "";
    metrics.healthcheck.with(probe.type, name).value = isWell ? 1 : 0;
    metrics.healthchecks.with(probe.type, name, isWell ? "success" : "error").value++;
  });
}

function page(
  checks: Probe["checks"],
  reasons: readonly string[],
  isVerbose: boolean,
): HttpResponse {
  const lines = checks
    .map(([name], i) =>
      reasons[i] === "" ? `[+]${name} ok\n` : `[-]${name} failed: ${reasons[i]!}\n`,
    )
    .join("");
  const isWell = reasons.every((reason) => reason === "");
  // A failure always lists its checks, and ends with an empty line.
  const body = isWell ? `${isVerbose ? lines : ""}ok\n` : `${lines}\n`;
  return {
    status: isWell ? 200 : 503,
    headers: [
      ["content-type", "text/plain; charset=utf-8"],
      ["x-content-type-options", "nosniff"],
    ],
    body: utf8(body),
  };
}
