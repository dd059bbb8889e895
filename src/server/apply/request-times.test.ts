import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../base/metrics.ts";
import { FakeClock } from "../../../test/watch/fakes.ts";
import { createServerMetrics } from "../metrics/names.ts";
import { requestField } from "./fields.ts";
import { notMeasured, RequestTimes } from "./request-times.ts";

function setup() {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const times = new RequestTimes(clock, createServerMetrics(registry));
  const lines = (name: string): string[] =>
    registry
      .text()
      .split("\n")
      .filter((line) => line.startsWith(`${name}_count`) || line.startsWith(`${name}_sum`));
  return { clock, times, lines };
}

test("a frequent request is measured now and then, and counts for those between", () => {
  const { clock, times, lines } = setup();
  for (let i = 0; i < 1700; i++) {
    const startedAt = times.beginProposal(requestField.put);
    clock.advance(2);
    if (startedAt !== notMeasured) times.endProposal(requestField.put, startedAt, true);
  }
  const [sum, count] = lines("etcd_server_request_duration_seconds");
  assert.match(count!, /\{success="true",type="Put"\} 1700$/);
  assert.ok(Math.abs(Number(sum!.split(" ").at(-1)) - 3.4) < 1e-9, sum!);
});

test("every rare request is measured, with its success", () => {
  const { clock, times, lines } = setup();
  for (const isGood of [true, true, false]) {
    const startedAt = times.beginProposal(requestField.compaction);
    clock.advance(1000);
    times.endProposal(requestField.compaction, startedAt, isGood);
  }
  assert.deepEqual(lines("etcd_server_request_duration_seconds"), [
    'etcd_server_request_duration_seconds_sum{success="true",type="Compaction"} 2',
    'etcd_server_request_duration_seconds_count{success="true",type="Compaction"} 2',
    'etcd_server_request_duration_seconds_sum{success="false",type="Compaction"} 1',
    'etcd_server_request_duration_seconds_count{success="false",type="Compaction"} 1',
  ]);
});

test("reads have the time of the store and that of the whole request", () => {
  const { clock, times, lines } = setup();
  let askedAt = notMeasured;
  while (askedAt === notMeasured) askedAt = times.sample();
  clock.advance(30);
  const readAt = times.now();
  clock.advance(10);
  times.range(readAt, true);
  times.read("Range", askedAt, true);
  assert.match(lines("etcd_server_range_duration_seconds")[0]!, /\{success="true"\} 0\.17$/);
  assert.match(lines("etcd_server_request_duration_seconds")[0]!, /type="Range"\} 0\.68$/);
});
