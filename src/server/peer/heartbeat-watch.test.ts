import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../base/metrics.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { linkHeartbeat } from "./message-frames.ts";
import { createPeerMetrics } from "./peer-metrics.ts";

test("a heartbeat later than two intervals counts, not across terms or a forgotten peer", () => {
  let now = 0;
  const lines: string[] = [];
  const add = (message: string): void => {
    lines.push(message);
  };
  const metrics = createPeerMetrics(new MetricRegistry());
  const watch = new HeartbeatWatch({
    intervalMs: 100,
    clock: { now: () => now, wall: () => now, after: () => ({ cancel() {} }) },
    log: { ...{ debug: add, info: add, warn: add, error: add }, fatal: assert.fail },
    metrics,
  });
  const counts: number[] = [];
  const send = (at: number, to: bigint, term: number): void => {
    now = at;
    watch.sent({ ...linkHeartbeat, to, term });
    counts.push(metrics.heartbeatFailures.value);
  };
  send(0, 1n, 1);
  send(0, 2n, 1);
  send(200, 1n, 1);
  send(201, 2n, 1);
  send(1_000, 1n, 2);
  send(1_201, 1n, 2);
  watch.forget(1n);
  send(9_000, 1n, 2);
  assert.deepEqual(counts, [0, 0, 0, 1, 1, 2, 2]);
  assert.equal(lines.length, 2);
});
