/** etcd's metric names for what the server has; dashboards and alerts are built on them. */
import type { Counter, Family, Gauge, Histogram, MetricRegistry } from "../../base/metrics.ts";
import { doubling } from "../../base/metrics.ts";

const fine = doubling(0.0001, 20);
const usual = doubling(0.001, 14);

export type ServerMetrics = ReturnType<typeof createServerMetrics>;
export type MvccMetrics = ReturnType<typeof createMvccMetrics>;
export type DiskMetrics = ReturnType<typeof createDiskMetrics>;
export type GrpcMetrics = ReturnType<typeof createGrpcMetrics>;
export type LeaseMetrics = ReturnType<typeof createLeaseMetrics>;

export function createServerMetrics(r: MetricRegistry) {
  return {
    hasLeader: r.gauge("etcd_server_has_leader", "1 while a leader is known, else 0."),
    isLeader: r.gauge("etcd_server_is_leader", "1 while this member leads, else 0."),
    isLearner: r.gauge("etcd_server_is_learner", "1 while this member is a learner, else 0."),
    leaderChanges: r.counter("etcd_server_leader_changes_seen_total", "Changes of leader seen."),
    proposalsCommitted: r.gauge("etcd_server_proposals_committed_total", "Commit index."),
    proposalsApplied: r.gauge("etcd_server_proposals_applied_total", "Applied index."),
    proposalsPending: r.gauge("etcd_server_proposals_pending", "Proposals waiting for commit."),
    proposalsFailed: r.counter("etcd_server_proposals_failed_total", "Proposals that failed."),
    slowApply: r.counter("etcd_server_slow_apply_total", "Applications that took too long."),
    slowReadIndexes: r.counter("etcd_server_slow_read_indexes_total", "Late or stale reads."),
    readIndexesFailed: r.counter("etcd_server_read_indexes_failed_total", "Reads that failed."),
    quotaBytes: r.gauge("etcd_server_quota_backend_bytes", "Space quota in bytes."),
    healthSuccess: r.counter("etcd_server_health_success", "Health checks that succeeded."),
    healthFailures: r.counter("etcd_server_health_failures", "Health checks that failed."),
    healthcheck: r.gauges("etcd_server_healthcheck", "Last result of a check: 1 is well.", [
      "type",
      "name",
    ]),
    healthchecks: r.counters("etcd_server_healthchecks_total", "Checks by result.", [
      "type",
      "name",
      "status",
    ]),
    id: r.gauges("etcd_server_id", "1 for this member's id in hex.", ["server_id"]),
    version: r.gauges("etcd_server_version", "1 for the version in use.", ["server_version"]),
    clusterVersion: r.gauges("etcd_cluster_version", "1 for the cluster's version.", [
      "cluster_version",
    ]),
    featureEnabled: r.gauges("etcd_server_feature_enabled", "1 when the gate is on.", [
      "name",
      "stage",
    ]),
    alarms: r.gauges("etcd_debugging_server_alarms", "1 for each alarm that is on.", [
      "server_id",
      "alarm_type",
    ]),
    clientRequests: r.counters("etcd_server_client_requests_total", "Requests by client version.", [
      "type",
      "client_api_version",
    ]),
    applySeconds: r.histograms("etcd_server_apply_duration_seconds", "Time to apply.", fine, [
      "version",
      "op",
      "success",
    ]),
    rangeSeconds: r.histograms("etcd_server_range_duration_seconds", "Time of ranges.", fine, [
      "success",
    ]),
    requestSeconds: r.histograms("etcd_server_request_duration_seconds", "Time of calls.", usual, [
      "type",
      "success",
    ]),
  };
}

export function createMvccMetrics(r: MetricRegistry) {
  return {
    puts: r.counter("etcd_mvcc_put_total", "Puts."),
    deletes: r.counter("etcd_mvcc_delete_total", "Deletes."),
    ranges: r.counter("etcd_mvcc_range_total", "Ranges."),
    txns: r.counter("etcd_mvcc_txn_total", "Transactions."),
    keys: r.gauge("etcd_debugging_mvcc_keys_total", "Live keys."),
    putBytes: r.gauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes of all puts."),
    currentRevision: r.gauge("etcd_debugging_mvcc_current_revision", "Newest revision."),
    compactRevision: r.gauge("etcd_debugging_mvcc_compact_revision", "Last compacted revision."),
    compactedKeys: r.counter(
      "etcd_debugging_mvcc_db_compaction_keys_total",
      "Rows removed by compaction.",
    ),
    compactedAt: r.gauge(
      "etcd_debugging_mvcc_db_compaction_last",
      "Unix time of the last compaction; 0 before the first.",
    ),
    compactionPauseMs: r.histogram(
      "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
      "Longest work without a pause.",
      doubling(1, 13),
    ),
    compactionMs: r.histogram(
      "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
      "Time of whole compactions.",
      doubling(100, 14),
    ),
    indexCompactionPauseMs: r.histogram(
      "etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
      "Work of index compactions without a pause.",
      doubling(0.5, 14),
    ),
    events: r.counter("etcd_debugging_mvcc_events_total", "Events sent to watchers."),
    pendingEvents: r.gauge("etcd_debugging_mvcc_pending_events_total", "Events not sent yet."),
    slowWatchers: r.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers catching up."),
    watchStreams: r.gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams."),
    watchers: r.gauge("etcd_debugging_mvcc_watcher_total", "Watchers."),
    hashSeconds: r.histogram(
      "etcd_mvcc_hash_duration_seconds",
      "Time to hash everything.",
      doubling(0.01, 15),
    ),
    hashRevSeconds: r.histogram(
      "etcd_mvcc_hash_rev_duration_seconds",
      "Time to hash up to a revision.",
      doubling(0.01, 15),
    ),
    dbBytes: r.gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the backend file."),
    dbBytesInUse: r.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes in use in it."),
    openViews: r.gauge("etcd_mvcc_db_open_read_transactions", "Open read views."),
  };
}

export function createDiskMetrics(r: MetricRegistry) {
  return {
    walSyncSeconds: r.histogram("etcd_disk_wal_fsync_duration_seconds", "WAL syncs.", usual),
    walWriteSeconds: r.histogram("etcd_disk_wal_write_duration_seconds", "WAL writes.", usual),
    walBytes: r.gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the WAL."),
    commitSeconds: r.histogram(
      "etcd_disk_backend_commit_duration_seconds",
      "Durable backend commits.",
      usual,
    ),
    defragSeconds: r.histogram(
      "etcd_disk_backend_defrag_duration_seconds",
      "Defragmentations.",
      doubling(0.1, 13),
    ),
    defragInflight: r.gauge("etcd_disk_defrag_inflight", "1 while defragmenting."),
  };
}

export function createLeaseMetrics(r: MetricRegistry) {
  return {
    granted: r.counter("etcd_debugging_lease_granted_total", "Leases granted."),
    revoked: r.counter("etcd_debugging_lease_revoked_total", "Leases revoked."),
    renewed: r.counter("etcd_debugging_lease_renewed_total", "Renewals."),
    ttlSeconds: r.histogram("etcd_debugging_lease_ttl_total", "TTLs.", doubling(1, 24)),
    expired: r.counter("etcd_debugging_server_lease_expired_total", "Leases that ran out."),
  };
}

interface MethodMetrics {
  readonly started: Counter;
  readonly received: Counter;
  readonly sent: Counter;
  /** Counted by status; the counter of OK is made ahead. */
  handled(code: string): Counter;
  /** Null unless metrics are extensive. */
  readonly seconds: Histogram | null;
}

export interface NetworkMetrics {
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
}

export function createGrpcMetrics(r: MetricRegistry, isExtensive: boolean) {
  const labels = ["grpc_type", "grpc_service", "grpc_method"];
  const started = r.counters("grpc_server_started_total", "Calls started.", labels);
  const received = r.counters("grpc_server_msg_received_total", "Messages received.", labels);
  const sent = r.counters("grpc_server_msg_sent_total", "Messages sent.", labels);
  const handled = r.counters("grpc_server_handled_total", "Calls ended, by status.", [
    ...labels,
    "grpc_code",
  ]);
  const seconds = isExtensive
    ? r.histograms("grpc_server_handling_seconds", "Time of calls.", promDefaults, labels)
    : null;
  return {
    network: {
      receivedBytes: r.counter(
        "etcd_network_client_grpc_received_bytes_total",
        "Bytes of messages from clients.",
      ),
      sentBytes: r.counter(
        "etcd_network_client_grpc_sent_bytes_total",
        "Bytes of messages to them.",
      ),
    } satisfies NetworkMetrics,
    /** The metrics of one method; to be asked once per method, not per call. */
    method(path: string, isClientStream: boolean, isServerStream: boolean): MethodMetrics {
      const [, service = "", name = ""] = path.split("/");
      const values = [typeOf(isClientStream, isServerStream), service, name];
      return {
        started: started.with(...values),
        received: received.with(...values),
        sent: sent.with(...values),
        handled: (code) => handled.with(...values, code),
        seconds: seconds === null ? null : seconds.with(...values),
      };
    },
  };
}

/** Bounds of the middleware's histogram, in seconds. */
const promDefaults = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function typeOf(isClientStream: boolean, isServerStream: boolean): string {
  if (isClientStream) return isServerStream ? "bidi_stream" : "client_stream";
  return isServerStream ? "server_stream" : "unary";
}

/** Names of gRPC codes in the label `grpc_code`, by number. */
export const grpcCodeNames = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

/** Sets an info metric: the value 1 behind a label. */
export function setInfo(family: Family<Gauge>, ...values: readonly string[]): void {
  family.with(...values).value = 1;
}
