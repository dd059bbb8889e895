/** etcd's metric names for what the server has; dashboards and alerts are built on them. */
import type { Family, Gauge, Histogram, MetricRegistry } from "../../base/metrics.ts";
import { doubling } from "../../base/metrics.ts";

const usual = doubling(0.001, 14);

/** Upper bounds of turns in seconds: fine around the 10 ms that a turn may take. */
export const turnBounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009, 0.01,
  0.012, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1,
];

/** Upper bounds of granted times to live, in seconds. */
const leaseTtlBounds = doubling(1, 24);

export type ServerMetrics = ReturnType<typeof createServerMetrics>;

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
    slowApplies: r.counter("etcd_server_slow_apply_total", "Applies over the warning bound."),
    slowReadIndexes: r.counter("etcd_server_slow_read_indexes_total", "Read indexes timed out."),
    readIndexesFailed: r.counter("etcd_server_read_indexes_failed_total", "Read indexes refused."),
    leasesExpired: r.counter("etcd_debugging_server_lease_expired_total", "Leases expired."),
    leasesGranted: r.counter("etcd_debugging_lease_granted_total", "Leases granted."),
    leasesRevoked: r.counter("etcd_debugging_lease_revoked_total", "Leases revoked."),
    leasesRenewed: r.counter("etcd_debugging_lease_renewed_total", "Renewals by the leader."),
    applySeconds: r.histograms(
      "etcd_server_apply_duration_seconds",
      "Applying a request; frequent kinds are sampled.",
      doubling(0.0001, 20),
      ["version", "op", "success"],
    ),
    ...createRequestMetrics(r),
    leaseTtl: r.histogram(
      "etcd_debugging_lease_ttl_total",
      "Granted times to live in seconds.",
      leaseTtlBounds,
    ),
    turnSeconds: r.histogram(
      "quorate_event_loop_turn_seconds",
      "Time a turn of the event loop was busy.",
      turnBounds,
    ),
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
  };
}

function createRequestMetrics(r: MetricRegistry) {
  return {
    requestSeconds: r.histograms(
      "etcd_server_request_duration_seconds",
      "From a request to its answer; frequent kinds are sampled.",
      usual,
      ["type", "success"],
    ),
    rangeSeconds: r.histograms(
      "etcd_server_range_duration_seconds",
      "Reading a range in the store; sampled.",
      doubling(0.0001, 20),
      ["success"],
    ),
  };
}

export function createMvccMetrics(r: MetricRegistry) {
  return {
    ranges: r.counter("etcd_mvcc_range_total", "Ranges read."),
    puts: r.counter("etcd_mvcc_put_total", "Keys written."),
    deletes: r.counter("etcd_mvcc_delete_total", "Keys deleted."),
    txns: r.counter("etcd_mvcc_txn_total", "Transactions that changed something."),
    currentRevision: r.gauge("etcd_debugging_mvcc_current_revision", "Newest revision."),
    compactRevision: r.gauge("etcd_debugging_mvcc_compact_revision", "Last compacted revision."),
    keys: r.gauge("etcd_debugging_mvcc_keys_total", "Keys, deleted ones until compacted."),
    events: r.counter("etcd_debugging_mvcc_events_total", "Events sent to watchers."),
    pendingEvents: r.gauge("etcd_debugging_mvcc_pending_events_total", "Events to be sent."),
    slowWatchers: r.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers catching up."),
    watchStreams: r.gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams."),
    watchers: r.gauge("etcd_debugging_mvcc_watcher_total", "Watchers."),
    dbBytes: r.gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the backend file."),
    dbBytesInUse: r.gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes in use in it."),
  };
}

export function createDiskMetrics(r: MetricRegistry) {
  return {
    walSyncSeconds: r.histogram("etcd_disk_wal_fsync_duration_seconds", "WAL syncs.", usual),
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

/** One gRPC method's counts, kept by the transport. */
export interface MethodCounts {
  readonly method: { readonly clientStreaming: boolean; readonly serverStreaming: boolean };
  readonly started: number;
  readonly received: number;
  readonly sent: number;
  /** Calls ended, by gRPC code. */
  readonly handled: readonly number[];
  /** Set: how long calls take is observed there. */
  seconds: Histogram | null;
}

export interface TransportCounts {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The transport's counts under the names of the gRPC middleware, copied when asked for. */
export function registerGrpcMetrics(
  r: MetricRegistry,
  methods: ReadonlyMap<string, MethodCounts>,
  transport: TransportCounts,
  isExtensive = false,
): void {
  const labels = ["grpc_type", "grpc_service", "grpc_method"];
  const started = r.counters("grpc_server_started_total", "Calls started.", labels);
  const received = r.counters("grpc_server_msg_received_total", "Messages received.", labels);
  const sent = r.counters("grpc_server_msg_sent_total", "Messages sent.", labels);
  const handled = r.counters("grpc_server_handled_total", "Calls ended, by status.", [
    ...labels,
    "grpc_code",
  ]);
  const bytesIn = r.counter("etcd_network_client_grpc_received_bytes_total", "Bytes from clients.");
  const bytesOut = r.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes to clients.");
  if (isExtensive) observeHandling(r, methods, labels);
  r.onCollect(() => {
    bytesIn.value = transport.bytesIn;
    bytesOut.value = transport.bytesOut;
    for (const [path, counts] of methods) {
      const [, service = "", name = ""] = path.split("/");
      const values = [typeOf(counts.method), service, name];
      started.with(...values).value = counts.started;
      received.with(...values).value = counts.received;
      sent.with(...values).value = counts.sent;
      counts.handled.forEach((count, code) => {
        const codeName = grpcCodeNames[code];
        if (codeName !== undefined && (count > 0 || code === 0)) {
          handled.with(...values, codeName).value = count;
        }
      });
    }
  });
}

/** --metrics=extensive: from a call's start to its end. */
function observeHandling(
  r: MetricRegistry,
  methods: ReadonlyMap<string, MethodCounts>,
  labels: readonly string[],
): void {
  const name = "grpc_server_handling_seconds";
  const handling = r.histograms(name, "Calls' time to their end.", handlingBounds, labels);
  for (const [path, counts] of methods) {
    const [, service = "", method = ""] = path.split("/");
    counts.seconds = handling.with(typeOf(counts.method), service, method);
  }
}

/** Prometheus' usual bounds, in seconds. */
const handlingBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function typeOf({ clientStreaming, serverStreaming }: MethodCounts["method"]): string {
  if (clientStreaming) return serverStreaming ? "bidi_stream" : "client_stream";
  return serverStreaming ? "server_stream" : "unary";
}

/** Names of gRPC codes in the label `grpc_code`, by number. */
const grpcCodeNames = [
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
