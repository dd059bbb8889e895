import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../base/metrics.ts";
import { createDiskMetrics, createGrpcMetrics, createLeaseMetrics } from "./names.ts";
import { createMvccMetrics, createServerMetrics } from "./names.ts";
import { registerProcessMetrics } from "./process-metrics.ts";

const stats = {
  residentBytes: () => 5_000_000,
  cpuSeconds: () => 1.5,
  startTime: () => 1,
  openFiles: () => 7,
  openFilesMax: () => 8,
  heapUsedBytes: () => 9,
};

test("every metric an etcd dashboard asks of one member is there", () => {
  const r = new MetricRegistry();
  createServerMetrics(r);
  createMvccMetrics(r);
  createDiskMetrics(r);
  createLeaseMetrics(r);
  const grpc = createGrpcMetrics(r, true);
  grpc.method("/etcdserverpb.Watch/Watch", true, true).handled("OK").value++;
  registerProcessMetrics(r, stats);
  const text = r.text();
  for (const name of [
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "etcd_server_proposals_failed_total",
    "etcd_disk_wal_fsync_duration_seconds_bucket",
    "etcd_disk_backend_commit_duration_seconds_bucket",
    "etcd_server_quota_backend_bytes",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "grpc_server_handled_total",
    "grpc_server_handling_seconds_bucket",
    "process_resident_memory_bytes",
    "etcd_network_client_grpc_sent_bytes_total",
  ]) {
    assert.match(text, new RegExp(`^${name}[ {]`, "m"));
  }
  assert.match(
    text,
    /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Watch",grpc_service="etcdserverpb\.Watch",grpc_type="bidi_stream"\} 1$/m,
  );
  assert.match(text, /^process_resident_memory_bytes 5e\+06$/m);
});

test("handling times are measured only when metrics are extensive", () => {
  const method = createGrpcMetrics(new MetricRegistry(), false).method("/a.B/C", false, false);
  assert.equal(method.seconds, null);
});
