/** The server's configuration: one plain value, checked before anything starts. */
import type { Environment, Note } from "./command-line.ts";
import { applyEnvironment, parseCommandLine } from "./command-line.ts";
import { ConfigFileError, parseConfigFile } from "./config-file.ts";
import type { FlagValues } from "./flag-values.ts";
import { helpText, usageText } from "./help.ts";
import type { ConfigUrl } from "./urls.ts";
import { logLevels, verifyFlags } from "./verify.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly trustedCaFile: string;
  readonly clientCertAuth: boolean;
}

/** Empty texts mean "not set"; names are the flags'. */
export interface ServerConfig {
  readonly name: string;
  readonly dataDir: string;
  readonly walDir: string;
  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly listenPeerUrls: readonly ConfigUrl[];
  readonly listenClientUrls: readonly ConfigUrl[];
  readonly listenMetricsUrls: readonly ConfigUrl[];
  readonly advertiseClientUrls: readonly ConfigUrl[];
  readonly initialAdvertisePeerUrls: readonly ConfigUrl[];
  /** As given: `name=url,name=url`; parse with parseInitialCluster. */
  readonly initialCluster: string;
  readonly initialClusterState: "new" | "existing";
  readonly initialClusterToken: string;
  /** Make this member, with its data, the only one of its cluster. */
  readonly forceNewCluster: boolean;
  readonly initialElectionTickAdvance: boolean;
  readonly strictReconfigCheck: boolean;
  readonly preVote: boolean;
  readonly maxLearners: number;
  /** Bytes in use before the space alarm; Infinity: no limit. */
  readonly quotaBackendBytes: number;
  readonly backendBatchIntervalMs: number;
  readonly backendBatchLimit: number;
  readonly maxTxnOps: number;
  readonly maxRequestBytes: number;
  readonly maxConcurrentStreams: number;
  readonly grpcKeepaliveMinTimeMs: number;
  readonly grpcKeepaliveIntervalMs: number;
  readonly grpcKeepaliveTimeoutMs: number;
  readonly tls: TlsFiles;
  readonly metrics: string;
  readonly logLevel: LogLevel;
  readonly logFormat: "json" | "console";
  readonly logOutputs: readonly string[];
  readonly warningApplyDurationMs: number;
  readonly warningUnaryRequestDurationMs: number;
  readonly compactionBatchLimit: number;
  readonly compactionSleepIntervalMs: number;
  readonly watchProgressNotifyIntervalMs: number;
  readonly unsafeNoFsync: boolean;
  readonly featureGates: ReadonlyMap<string, boolean>;
}

export type LogLevel = (typeof logLevels)[number];

const quotaBytesDefault = 2 * 1024 ** 3;
const batchIntervalMsDefault = 100;
const batchLimitDefault = 10_000;

/** What the process should do with its command line. */
export type ConfigOutcome =
  | { readonly kind: "run"; readonly config: ServerConfig; readonly notes: readonly Note[] }
  | {
      readonly kind: "exit";
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly notes: readonly Note[];
    };

export interface ConfigSources {
  /** Without the program and its subcommand. */
  readonly args: readonly string[];
  readonly env: Environment;
  /** Throws when the file cannot be read. */
  readonly readFile: (path: string) => string;
  /** What `--version` prints. */
  readonly versionText: string;
}

const exit = (
  code: number,
  stdout: string,
  stderr: string,
  notes: readonly Note[],
): ConfigOutcome => ({
  kind: "exit",
  code,
  stdout,
  stderr,
  notes,
});

function refused(error: string, notes: readonly Note[] = []): ConfigOutcome {
  const note: Note = { level: "warn", message: "failed to verify flags", fields: { error } };
  return exit(1, "", "", [...notes, note]);
}

/** Decides everything about the configuration; touches nothing but what `sources` gives. */
export function readConfig(sources: ConfigSources): ConfigOutcome {
  const line = parseCommandLine(sources.args);
  if (line.kind === "help") return exit(0, helpText(), usageText, []);
  if (line.kind === "error") return exit(2, "", `${line.message}\n${usageText}`, []);
  const stray = line.rest[0];
  if (stray !== undefined) return refused(`${JSON.stringify(stray)} is not a valid flag`);
  if (line.values.bool("version")) return exit(0, sources.versionText, "", []);
  const file = line.values.string("config-file") || (sources.env["ETCD_CONFIG_FILE"] ?? "");
  try {
    return file === ""
      ? fromFlags(line.values, sources.env)
      : fromFile(file, sources.readFile(file));
  } catch (error) {
    if (error instanceof ConfigFileError && error.isPlain) {
      return exit(1, "", `${error.message}\n`, []);
    }
    // Whatever readFile throws is the user's to read, too.
    return refused(error instanceof Error ? error.message : String(error));
  }
}

function fromFlags(values: FlagValues, env: Environment): ConfigOutcome {
  const notes = applyEnvironment(values, env);
  const conflict = notes.find((note) => note.level === "fatal");
  if (conflict !== undefined) return exit(1, "", "", notes);
  return finish(values, notes);
}

function fromFile(path: string, text: string): ConfigOutcome {
  const values = parseConfigFile(text);
  const note: Note = {
    level: "info",
    message:
      "loaded server configuration from file; other command line flags and environment variables are ignored",
    fields: { path },
  };
  return finish(values, [note]);
}

function finish(values: FlagValues, notes: readonly Note[]): ConfigOutcome {
  const level = values.string("log-level");
  if (!isLogLevel(level)) {
    return exit(2, "", `unrecognized level: ${JSON.stringify(level)}\n`, notes);
  }
  const problem = verifyFlags(values);
  if (problem !== null) return refused(problem, notes);
  return { kind: "run", config: build(values, level), notes: [...notes, ...warnings(values)] };
}

function isLogLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}

function warnings(values: FlagValues): Note[] {
  const notes: Note[] = [];
  const name = values.string("name");
  if (name === "default") {
    notes.push({
      level: "warn",
      message:
        "it isn't recommended to use default name, please set a value for --name. Note that etcd might run into issue when multiple members have the same default name",
      fields: { name },
    });
  }
  if (values.string("data-dir") === "") {
    const fields = { "data-dir": `${name}.etcd` };
    notes.push({ level: "warn", message: "'data-dir' was empty; using default", fields });
  }
  const quota = values.number("quota-backend-bytes");
  if (quota > 8 * 1024 ** 3) {
    notes.push({
      level: "warn",
      message: "quota exceeds the maximum value",
      fields: { "quota-maximum-size-bytes": 8 * 1024 ** 3, "quota-size-bytes": quota },
    });
  }
  return notes;
}

function build(values: FlagValues, logLevel: LogLevel): ServerConfig {
  const name = values.string("name");
  const quota = values.number("quota-backend-bytes");
  return {
    name,
    dataDir: values.string("data-dir") || `${name}.etcd`,
    walDir: values.string("wal-dir"),
    snapshotCount: values.number("snapshot-count"),
    snapshotCatchupEntries: values.number("snapshot-catchup-entries"),
    heartbeatIntervalMs: values.number("heartbeat-interval"),
    electionTimeoutMs: values.number("election-timeout"),
    ...buildUrls(values, name),
    initialClusterState: values.string("initial-cluster-state") === "new" ? "new" : "existing",
    initialClusterToken: values.string("initial-cluster-token"),
    forceNewCluster: values.bool("force-new-cluster"),
    initialElectionTickAdvance: values.bool("initial-election-tick-advance"),
    strictReconfigCheck: values.bool("strict-reconfig-check"),
    preVote: values.bool("pre-vote"),
    maxLearners: values.number("max-learners"),
    quotaBackendBytes: quota === 0 ? quotaBytesDefault : quota < 0 ? Infinity : quota,
    backendBatchIntervalMs: values.number("backend-batch-interval") || batchIntervalMsDefault,
    backendBatchLimit: values.number("backend-batch-limit") || batchLimitDefault,
    maxTxnOps: values.number("max-txn-ops"),
    maxRequestBytes: values.number("max-request-bytes"),
    maxConcurrentStreams: values.number("max-concurrent-streams"),
    grpcKeepaliveMinTimeMs: values.number("grpc-keepalive-min-time"),
    grpcKeepaliveIntervalMs: values.number("grpc-keepalive-interval"),
    grpcKeepaliveTimeoutMs: values.number("grpc-keepalive-timeout"),
    tls: {
      certFile: values.string("cert-file"),
      keyFile: values.string("key-file"),
      trustedCaFile: values.string("trusted-ca-file"),
      clientCertAuth: values.bool("client-cert-auth"),
    },
    metrics: values.string("metrics"),
    logLevel,
    logFormat: values.string("log-format") === "console" ? "console" : "json",
    logOutputs: values.list("log-outputs"),
    warningApplyDurationMs: values.number("warning-apply-duration"),
    warningUnaryRequestDurationMs: values.number("warning-unary-request-duration"),
    compactionBatchLimit: values.number("compaction-batch-limit"),
    compactionSleepIntervalMs: values.number("compaction-sleep-interval"),
    watchProgressNotifyIntervalMs: values.number("watch-progress-notify-interval"),
    unsafeNoFsync: values.bool("unsafe-no-fsync"),
    featureGates: values.gates(),
  };
}

type UrlSettings = Pick<
  ServerConfig,
  | "listenPeerUrls"
  | "listenClientUrls"
  | "listenMetricsUrls"
  | "advertiseClientUrls"
  | "initialAdvertisePeerUrls"
  | "initialCluster"
>;

function buildUrls(values: FlagValues, name: string): UrlSettings {
  const initialAdvertisePeerUrls = values.urls("initial-advertise-peer-urls");
  // A name alone is enough for a cluster of one: the default follows it.
  const initialCluster = values.isSet("initial-cluster")
    ? values.string("initial-cluster")
    : name === "default"
      ? values.string("initial-cluster")
      : initialAdvertisePeerUrls.map((url) => `${name}=${url.text}`).join(",");
  return {
    listenPeerUrls: values.urls("listen-peer-urls"),
    listenClientUrls: values.urls("listen-client-urls"),
    listenMetricsUrls: values.urls("listen-metrics-urls"),
    advertiseClientUrls: values.urls("advertise-client-urls"),
    initialAdvertisePeerUrls,
    initialCluster,
  };
}

/** The election timeout in ticks of the heartbeat interval, rounded down as in etcd. */
export function electionTicksOf(
  config: Pick<ServerConfig, "electionTimeoutMs" | "heartbeatIntervalMs">,
): number {
  return Math.floor(config.electionTimeoutMs / config.heartbeatIntervalMs);
}
