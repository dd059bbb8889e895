/**
 * Every flag of etcd 3.7.1 with its default. A flag that is not `supported` yet is known, so that
 * it can be refused by name when it is given another value than its default: a setting that is
 * silently ignored is worse than a start that fails.
 */

export type FlagKind =
  "string" | "bool" | "int" | "uint" | "uint32" | "duration" | "urls" | "list" | "gates";

export interface FlagSpec {
  readonly kind: FlagKind;
  /** In the form it has on the command line. */
  readonly initial: string;
  readonly isSupported: boolean;
  readonly help: string;
  /** The only values it takes. */
  readonly choices?: readonly string[];
  /** Go's type name in the configuration file, where it differs from the kind's. */
  readonly goType?: string;
}

const on = (kind: FlagKind, initial: string, help: string): FlagSpec => ({
  kind,
  initial,
  isSupported: true,
  help,
});
const off = (kind: FlagKind, initial: string): FlagSpec => ({
  kind,
  initial,
  isSupported: false,
  help: "Not supported yet: only the default is accepted.",
});
const choice = (spec: FlagSpec, ...choices: string[]): FlagSpec => ({ ...spec, choices });
const typed = (spec: FlagSpec, goType: string): FlagSpec => ({ ...spec, goType });

const member: Readonly<Record<string, FlagSpec>> = {
  name: on("string", "default", "Name of this member."),
  "data-dir": on("string", "", "Data directory; <name>.etcd when empty."),
  "wal-dir": on("string", "", "Directory of the write-ahead log, when not in the data directory."),
  "snapshot-count": typed(
    on("uint", "10000", "Applied entries between two raft snapshots."),
    "uint64",
  ),
  "snapshot-catchup-entries": typed(
    on("uint", "5000", "Entries kept after a snapshot for slow followers."),
    "uint64",
  ),
  "heartbeat-interval": on("uint", "100", "Milliseconds between heartbeats."),
  "election-timeout": on("uint", "1000", "Milliseconds without a leader until an election."),
  "initial-election-tick-advance": on("bool", "true", "Shorten the first election timeout."),
  "listen-peer-urls": on("urls", "http://localhost:2380", "URLs to listen on for peers."),
  "listen-client-urls": on("urls", "http://localhost:2379", "URLs to listen on for clients."),
  "listen-client-http-urls": off("urls", ""),
  "listen-metrics-urls": on("urls", "", "Further URLs that answer only metrics and health."),
  "max-snapshots": typed(off("uint", "5"), "uint"),
  "max-wals": off("uint", "5"),
  "memory-mlock": off("bool", "false"),
  "quota-backend-bytes": typed(
    on("int", "0", "Bytes in use before the space alarm; 0 is 2 GiB, negative is no limit."),
    "int64",
  ),
  "backend-bbolt-freelist-type": off("string", "map"),
  "backend-batch-interval": on("duration", "0s", "Longest time a backend batch stays open."),
  "backend-batch-limit": on("int", "0", "Operations that close a backend batch."),
  "max-txn-ops": on("uint", "128", "Operations in one transaction list."),
  "max-request-bytes": on("uint", "1572864", "Bytes of one request."),
  "max-concurrent-streams": on("uint32", "4294967295", "Streams a client may open at once."),
  "max-learners": on("int", "1", "Learners in the cluster."),
  "grpc-keepalive-min-time": on("duration", "5s", "Shortest time between pings of a client."),
  "grpc-keepalive-interval": on("duration", "2h0m0s", "Time between pings of the server; 0: none."),
  "grpc-keepalive-timeout": on("duration", "20s", "Time a ping may stay unanswered; 0: no limit."),
  "socket-reuse-port": off("bool", "false"),
  "socket-reuse-address": off("bool", "false"),
  // On by default as in etcd; the gateway comes in a later step, so nothing depends on it yet.
  "enable-grpc-gateway": on("bool", "true", "JSON over HTTP below /v3/ (not there yet)."),
  "raft-read-timeout": off("duration", "5s"),
  "raft-write-timeout": off("duration", "5s"),
  "feature-gates": typed(on("gates", "", "Features by name: A=true,B=false."), "string"),
};

const cluster: Readonly<Record<string, FlagSpec>> = {
  "initial-advertise-peer-urls": on("urls", "http://localhost:2380", "Peer URLs told to others."),
  "initial-cluster": on("string", "default=http://localhost:2380", "First members: name=url,..."),
  "initial-cluster-state": choice(on("string", "new", "new or existing."), "new", "existing"),
  "initial-cluster-token": on("string", "etcd-cluster", "Tells clusters with equal URLs apart."),
  "advertise-client-urls": on("urls", "http://localhost:2379", "Client URLs told to others."),
  "strict-reconfig-check": on("bool", "true", "Refuse member changes that would lose quorum."),
  "pre-vote": on("bool", "true", "Ask for votes before raising the term."),
  "discovery-token": off("string", ""),
  "discovery-endpoints": off("list", ""),
  "discovery-dial-timeout": off("duration", "2s"),
  "discovery-request-timeout": off("duration", "5s"),
  "discovery-keepalive-time": off("duration", "2s"),
  "discovery-keepalive-timeout": off("duration", "6s"),
  "discovery-insecure-transport": off("bool", "true"),
  "discovery-insecure-skip-tls-verify": off("bool", "false"),
  "discovery-cert": off("string", ""),
  "discovery-key": off("string", ""),
  "discovery-cacert": off("string", ""),
  "discovery-user": off("string", ""),
  "discovery-password": off("string", ""),
  "discovery-fallback": choice(off("string", "exit"), "exit", "proxy"),
  "discovery-srv": off("string", ""),
  "discovery-srv-name": off("string", ""),
  "auto-compaction-mode": off("string", "periodic"),
  "auto-compaction-retention": off("string", "0"),
  "v2-deprecation": choice(
    off("string", "write-only"),
    "write-only",
    "write-only-drop-data",
    "gone",
  ),
};

const security: Readonly<Record<string, FlagSpec>> = {
  "cert-file": on("string", "", "Certificate of the client listeners."),
  "key-file": on("string", "", "Its key."),
  "client-cert-auth": on("bool", "false", "Require a client certificate."),
  "trusted-ca-file": on("string", "", "Authorities that sign client certificates."),
  "client-cert-file": off("string", ""),
  "client-key-file": off("string", ""),
  "client-crl-file": off("string", ""),
  "client-cert-allowed-hostname": off("string", ""),
  "auto-tls": off("bool", "false"),
  "peer-cert-file": off("string", ""),
  "peer-key-file": off("string", ""),
  "peer-client-cert-auth": off("bool", "false"),
  "peer-client-cert-file": off("string", ""),
  "peer-client-key-file": off("string", ""),
  "peer-trusted-ca-file": off("string", ""),
  "peer-auto-tls": off("bool", "false"),
  "peer-crl-file": off("string", ""),
  "peer-cert-allowed-cn": off("string", ""),
  "peer-cert-allowed-hostname": off("string", ""),
  "peer-skip-client-san-verification": off("bool", "false"),
  "self-signed-cert-validity": off("uint", "1"),
  "cipher-suites": off("list", ""),
  "tls-min-version": off("string", "TLS1.2"),
  "tls-max-version": off("string", ""),
  cors: off("string", "*"),
  "host-whitelist": off("string", "*"),
  "auth-token": off("string", "simple"),
  "bcrypt-cost": off("uint", "10"),
  "auth-token-ttl": off("uint", "300"),
};

const operation: Readonly<Record<string, FlagSpec>> = {
  "enable-pprof": off("bool", "false"),
  metrics: on("string", "basic", "basic or extensive."),
  logger: on("string", "zap", "Form of the log; only zap."),
  "log-outputs": on("list", "default", "stderr, stdout or file paths."),
  "log-level": on("string", "info", "debug, info, warn, error, panic or fatal."),
  "log-format": on("string", "json", "json or console."),
  "enable-log-rotation": off("bool", "false"),
  "log-rotation-config-json": off(
    "string",
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
  ),
  "warning-apply-duration": on("duration", "100ms", "Applying longer than this is logged."),
  "warning-unary-request-duration": on("duration", "300ms", "A call longer than this is logged."),
  "enable-distributed-tracing": off("bool", "false"),
  "distributed-tracing-address": off("string", "localhost:4317"),
  "distributed-tracing-service-name": off("string", "etcd"),
  "distributed-tracing-instance-id": off("string", ""),
  "distributed-tracing-sampling-rate": off("int", "0"),
  "corrupt-check-time": off("duration", "0s"),
  "compact-hash-check-time": off("duration", "1m0s"),
  "compaction-batch-limit": on("int", "1000", "Revisions removed in one compaction batch."),
  "compaction-sleep-interval": on("duration", "10ms", "Pause between compaction batches."),
  "watch-progress-notify-interval": on("duration", "10m0s", "Time between progress notices."),
  "bootstrap-defrag-threshold-megabytes": off("uint", "0"),
  "downgrade-check-time": off("duration", "5s"),
  "force-new-cluster": on("bool", "false", "Make this member the only one of its cluster."),
  "unsafe-no-fsync": on("bool", "false", "Never wait for the disk: a crash loses data."),
  "config-file": on("string", "", "YAML file; other flags and variables are then ignored."),
  version: on("bool", "false", "Print the version and exit."),
};

export const flagTable: Readonly<Record<string, FlagSpec>> = {
  ...member,
  ...cluster,
  ...security,
  ...operation,
};

/** Names of older etcd lines that start scripts still pass. */
export const flagAliases: Readonly<Record<string, string>> = {
  "experimental-compact-hash-check-time": "compact-hash-check-time",
  "experimental-compaction-batch-limit": "compaction-batch-limit",
  "experimental-corrupt-check-time": "corrupt-check-time",
  "experimental-peer-skip-client-san-verification": "peer-skip-client-san-verification",
  "experimental-warning-apply-duration": "warning-apply-duration",
  "experimental-watch-progress-notify-interval": "watch-progress-notify-interval",
};

/** Blocks of the configuration file whose keys stand for flags. */
export const fileBlocks: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname",
    "skip-client-san-verification": "peer-skip-client-san-verification",
  },
  "socket-options": {
    "reuse-port": "socket-reuse-port",
    "reuse-address": "socket-reuse-address",
  },
};
