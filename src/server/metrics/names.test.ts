import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../base/metrics.ts";
import { createDiskMetrics, createMvccMetrics, createServerMetrics } from "./names.ts";
import { registerGrpcMetrics, type MethodCounts } from "./names.ts";
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
  const method = { clientStreaming: true, serverStreaming: true };
  const counts = { method, started: 3, received: 4, sent: 5, handled: [1, 0, 2], seconds: null };
  const methods = new Map([["/etcdserverpb.Watch/Watch", counts]]);
  registerGrpcMetrics(r, methods, { bytesIn: 6, bytesOut: 7 });
  registerProcessMetrics(r, stats);
  const text = r.text();
  for (const name of [
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "etcd_disk_wal_fsync_duration_seconds_bucket",
    "etcd_disk_backend_commit_duration_seconds_bucket",
    "etcd_server_quota_backend_bytes",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "grpc_server_handled_total",
    "process_resident_memory_bytes",
    "etcd_network_client_grpc_sent_bytes_total",
  ]) {
    assert.match(text, new RegExp(`^${name}[ {]`, "m"));
  }
  const labels = 'grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"';
  const lines = text.split("\n").filter((line) => line.startsWith("grpc_server_"));
  assert.deepEqual(lines, [
    `grpc_server_handled_total{grpc_code="OK",${labels}} 1`,
    `grpc_server_handled_total{grpc_code="Unknown",${labels}} 2`,
    `grpc_server_msg_received_total{${labels}} 4`,
    `grpc_server_msg_sent_total{${labels}} 5`,
    `grpc_server_started_total{${labels}} 3`,
  ]);
  assert.match(text, /^process_resident_memory_bytes 5e\+06$/m);
});

test("extensive metrics observe how long calls take, by method", () => {
  const r = new MetricRegistry();
  const method = { clientStreaming: false, serverStreaming: false };
  const counts = { method, started: 1, received: 1, sent: 1, handled: [1], seconds: null };
  const methods = new Map<string, MethodCounts>([["/etcdserverpb.KV/Put", counts]]);
  registerGrpcMetrics(r, methods, { bytesIn: 0, bytesOut: 0 }, true);
  methods.get("/etcdserverpb.KV/Put")!.seconds!.observe(0.02);
  const labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"';
  const lines = r.text().split("\n");
  assert.ok(lines.includes(`grpc_server_handling_seconds_bucket{${labels},le="0.025"} 1`));
  assert.ok(lines.includes(`grpc_server_handling_seconds_count{${labels}} 1`));
});
