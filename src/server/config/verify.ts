/** Checks of the configuration, in etcd's order and with its texts. */
import { featureGates } from "./feature-gates.ts";
import { flagTable } from "./flag-table.ts";
import type { FlagValues } from "./flag-values.ts";
import { isIp, isUnix, splitHostPort } from "./urls.ts";

export const logLevels = ["debug", "info", "warn", "error", "panic", "fatal"] as const;

const electionTimeoutMsMax = 50_000;

/** The first problem, or null. */
export function verifyFlags(values: FlagValues): string | null {
  return (
    verifyLog(values) ??
    verifySupport(values) ??
    verifyListen(values) ??
    verifyAdvertise(values) ??
    verifyTimes(values) ??
    (values.isSet("listen-client-urls") && !values.isSet("advertise-client-urls")
      ? "--advertise-client-urls is required when --listen-client-urls is set explicitly"
      : null) ??
    verifyTls(values)
  );
}

function verifyLog(values: FlagValues): string | null {
  const logger = values.string("logger");
  if (logger !== "zap") return `unknown logger option ${JSON.stringify(logger)}`;
  const format = values.string("log-format");
  if (format !== "json" && format !== "console") {
    return `unknown log format: ${format}, supported values json, console`;
  }
  if (values.list("log-outputs").includes("systemd/journal")) {
    return 'log output "systemd/journal" is not supported by this version of Quorate; systemd collects stderr';
  }
  return null;
}

function verifySupport(values: FlagValues): string | null {
  for (const name of values.changed()) {
    const spec = flagTable[name];
    if (spec?.isSupported === false) {
      return `--${name} is not supported by this version of Quorate: only its default ${JSON.stringify(spec.initial)} is`;
    }
  }
  for (const [name, isOn] of values.gates()) {
    if (isOn && featureGates[name]?.isSupported === false) {
      return `feature gate ${name} is not supported by this version of Quorate`;
    }
  }
  return null;
}

const listenFlags = [
  "listen-peer-urls",
  "listen-client-urls",
  "listen-client-http-urls",
  "listen-metrics-urls",
];

function verifyListen(values: FlagValues): string | null {
  for (const url of listenFlags.flatMap((name) => values.urls(name))) {
    if (isUnix(url)) continue;
    const host = splitHostPort(url.host)?.host ?? "";
    if (host !== "localhost" && !isIp(host)) return `expected IP in URL for binding (${url.text})`;
  }
  return null;
}

function verifyAdvertise(values: FlagValues): string | null {
  for (const name of ["initial-advertise-peer-urls", "advertise-client-urls"]) {
    const urls = values.urls(name);
    const empty = urls.find((url) => !isUnix(url) && splitHostPort(url.host)?.host === "");
    if (empty === undefined) continue;
    const all = JSON.stringify(urls.map((url) => url.text).join(","));
    return `--${name} ${all} must be "host:port" (unexpected empty host (${empty.text}))`;
  }
  return null;
}

function verifyTimes(values: FlagValues): string | null {
  const heartbeat = values.number("heartbeat-interval");
  const election = values.number("election-timeout");
  if (heartbeat === 0) return `--heartbeat-interval must be >0 (set to ${heartbeat}ms)`;
  if (election === 0) return `--election-timeout must be >0 (set to ${election}ms)`;
  if (5 * heartbeat > election) {
    return `--election-timeout[${election}ms] should be at least as 5 times as --heartbeat-interval[${heartbeat}ms]`;
  }
  if (election > electionTimeoutMsMax) {
    return `--election-timeout[${election}ms] is too long, and should be set less than ${electionTimeoutMsMax}ms`;
  }
  return null;
}

function verifyTls(values: FlagValues): string | null {
  const cert = values.string("cert-file");
  const key = values.string("key-file");
  if ((cert === "") !== (key === "")) {
    return `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`;
  }
  if (cert !== "") return null;
  const listening = [...values.urls("listen-client-urls"), ...values.urls("listen-metrics-urls")];
  const secure = listening.find((url) => url.scheme === "https" || url.scheme === "unixs");
  if (secure === undefined) return null;
  return `TLS key/cert (--cert-file, --key-file) must be provided for client url ${secure.text} with HTTPS scheme`;
}
