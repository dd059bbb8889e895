import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "../../base/metrics.ts";
import type { Clock, Disk, Done, File } from "../../base/ports.ts";
import type { Backend } from "../backend/backend.ts";
import { Batch } from "../backend/backend.ts";
import { measureBackend, measureDisk } from "./measured.ts";
import { createDiskMetrics } from "./names.ts";

/** A clock that advances by hand. */
function manualClock(): Clock & { at: number } {
  return {
    at: 0,
    now() {
      return this.at;
    },
    wall: () => 0,
    after: () => ({ cancel: () => {} }),
  };
}

test("durable writes of the WAL are timed", () => {
  const clock = manualClock();
  const meters = createDiskMetrics(new MetricRegistry());
  const waiting: Done[] = [];
  const file = {
    writeDurable: (_at: number, _bytes: Uint8Array, done: Done) => {
      waiting.push(done);
    },
    writeDurableNow: () => {
      clock.at += 1;
    },
  } as unknown as File;
  const disk = {
    open: (_path: string, _mode: string, done: Done<File>) => {
      done(null, file);
    },
  } as unknown as Disk;
  let done = 0;
  measureDisk(disk, clock, meters).open("wal", "create", (_, measured) => {
    measured.writeDurable(0, new Uint8Array(10), () => done++);
    clock.at += 3;
    waiting[0]?.(null);
    measured.writeDurableNow(10, new Uint8Array(5));
  });
  assert.equal(done, 1);
  assert.deepEqual([...meters.walSyncSeconds.counts.slice(0, 4)], [1, 0, 1, 0]);
});

test("commits and defragmentations are timed, also when they fail", () => {
  const clock = manualClock();
  const meters = createDiskMetrics(new MetricRegistry());
  const failure = new Error("disk full");
  const backend = {
    commit: (_: Batch, done: Done) => {
      clock.at += 1;
      done(failure);
    },
    defragment: (done: Done) => {
      assert.equal(meters.defragInflight.value, 1);
      clock.at += 50;
      done(null);
    },
  } as unknown as Backend;
  const measured = measureBackend(backend, clock, meters);
  const errors: unknown[] = [];
  measured.commit(new Batch(), (error) => errors.push(error));
  measured.defragment((error) => errors.push(error));
  assert.deepEqual(errors, [failure, null]);
  assert.equal(meters.defragInflight.value, 0);
  assert.equal(meters.commitSeconds.counts[0], 1);
  assert.equal(meters.defragSeconds.sum, 0.05);
});
