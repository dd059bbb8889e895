import assert from "node:assert/strict";
import { test } from "node:test";

import { grpcCode } from "../../base/grpc-code.ts";
import { put, WatchRig } from "../../../test/client/watch-server.ts";
import { fromStatus, WatchCompactedError } from "../errors.ts";
import type { WatchBatch } from "../types.ts";

const broken = fromStatus(grpcCode.unavailable, "connection lost");

async function take(batches: AsyncIterator<WatchBatch>, count: number): Promise<number[]> {
  const revisions: number[] = [];
  for (let i = 0; i < count; i++) {
    const { value } = (await batches.next()) as IteratorYieldResult<WatchBatch>;
    for (const { kv } of value.events) revisions.push(kv.modRevision);
  }
  return revisions;
}

test("events come one by one out of batches, without notices", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  rig.created(1);
  rig.events(1, put("a", 11), put("b", 11));
  rig.progress(1, 11);
  rig.events(1, put("a", 12));
  const seen: number[] = [];
  for await (const { kv } of watcher.events()) {
    seen.push(kv.modRevision);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [11, 11, 12]);
  assert.equal(watcher.isEnded, true); // leaving the loop ends the watch
  assert.deepEqual(rig.cancels, [1]);
});

test("events asked for ahead come in order", async () => {
  const rig = new WatchRig();
  const events = rig.area.watch("a").events()[Symbol.asyncIterator]();
  rig.created(1);
  const asked = [1, 2, 3, 4].map(() => events.next());
  rig.events(1, put("a", 11), put("a", 12));
  rig.events(1, put("a", 13));
  rig.events(1, put("a", 14));
  const values = (await Promise.all(asked)).map((result) =>
    result.done === true ? -1 : result.value.kv.modRevision,
  );
  assert.deepEqual(values, [11, 12, 13, 14]);
});

test("what came before the end of a watch is given out before its error", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  rig.created(1);
  rig.events(1, put("a", 11));
  rig.canceled(1, { compactRevision: 12 });
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { kv } of watcher.events()) seen.push(kv.modRevision);
  }, WatchCompactedError);
  assert.deepEqual(seen, [11]);
});

test("a lone watch whose reader does not read pauses its stream", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a", { bufferedBatchesMax: 4 });
  rig.created(1);
  for (let revision = 11; revision <= 14; revision++) rig.events(1, put("a", revision));
  assert.equal(rig.stream.isPaused, true);
  rig.events(1, put("a", 15)); // was on its way
  rig.area.watch("b"); // not held up
  assert.equal(rig.caller.streams.length, 2);
  const batches = watcher[Symbol.asyncIterator]();
  assert.deepEqual(await take(batches, 2), [11, 12]);
  assert.equal(rig.caller.stream(0).isPaused, true);
  assert.deepEqual(await take(batches, 1), [13]);
  assert.equal(rig.caller.stream(0).isPaused, false);
  assert.deepEqual(await take(batches, 2), [14, 15]);
});

test("on a shared stream a slow watch leaves, and comes back where it was", async () => {
  const rig = new WatchRig();
  const slow = rig.area.watch("a", { bufferedBatchesMax: 2 });
  const quick = rig.area.watch("b");
  rig.created(1);
  rig.created(2);
  rig.events(1, put("a", 11));
  rig.events(1, put("a", 12));
  assert.deepEqual(rig.cancels, [1]);
  rig.events(1, put("a", 13)); // the server did not know yet
  rig.canceled(1);
  rig.events(2, put("b", 14));
  assert.deepEqual(await take(quick[Symbol.asyncIterator](), 1), [14]);
  assert.equal(rig.creates.length, 2);
  const batches = slow[Symbol.asyncIterator]();
  assert.deepEqual(await take(batches, 1), [11]);
  assert.equal(rig.creates.length, 3);
  const { watchId, startRevision } = rig.creates[2]!;
  assert.deepEqual([watchId, startRevision], [3, 13]);
  rig.created(3, 14);
  rig.events(3, put("a", 13));
  assert.deepEqual(await take(batches, 2), [12, 13]);
});

test("a slow watch that comes back behind a compaction says so, after what it had", async () => {
  const rig = new WatchRig();
  const slow = rig.area.watch("a", { bufferedBatchesMax: 1 });
  rig.area.watch("b");
  rig.created(1);
  rig.created(2);
  rig.events(1, put("a", 11));
  const batches = slow[Symbol.asyncIterator]();
  assert.deepEqual(await take(batches, 1), [11]);
  rig.created(3, 20);
  rig.canceled(3, { compactRevision: 15 });
  await assert.rejects(batches.next(), WatchCompactedError);
  assert.deepEqual(await batches.next(), { done: true, value: undefined });
});

test("a stream that breaks while paused is opened again for its reader", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a", { bufferedBatchesMax: 1 });
  rig.created(1);
  rig.events(1, put("a", 11));
  rig.reconnect(broken);
  assert.equal(rig.caller.streams.length, 1);
  assert.deepEqual(await take(watcher[Symbol.asyncIterator](), 1), [11]);
  assert.equal(rig.caller.streams.length, 2);
  assert.equal(rig.creates[0]!.startRevision, 12);
});

test("all watches together hold a bounded number of bytes", () => {
  const rig = new WatchRig();
  const count = 10;
  for (let id = 1; id <= count; id++) {
    rig.area.watch(`k${id}`);
    rig.created(id);
  }
  let heldMebibytes = 0;
  for (let i = 0; i < 200; i++) {
    const watchId = (i % count) + 1;
    if (rig.cancels.includes(watchId) || rig.stream.isPaused) continue;
    rig.sized(watchId, 1024 * 1024, put("k", 11 + i));
    heldMebibytes++;
  }
  assert.equal(rig.cancels.length, count - 1);
  assert.equal(rig.stream.isPaused, true); // the last one is alone now
  assert.ok(heldMebibytes <= 64 + count, `${heldMebibytes} MiB held`);
});

test("canceling drops what is buffered and wakes who waits", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  const batches = watcher[Symbol.asyncIterator]();
  const waiting = batches.next();
  await watcher.cancel();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  const other = rig.area.watch("b");
  rig.created(2);
  rig.events(2, put("b", 11));
  await other.cancel();
  assert.deepEqual(await other[Symbol.asyncIterator]().next(), { done: true, value: undefined });
});

test("listeners added late hear what was held back, then what comes", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  rig.created(1);
  rig.events(1, put("a", 11));
  const seen: string[] = [];
  const onEvent = ({ kv }: { kv: { modRevision: number } }): void => {
    seen.push(`event ${kv.modRevision}`);
  };
  watcher.on("event", onEvent).on("batch", ({ events }: WatchBatch) => {
    seen.push(`batch of ${events.length}`);
  });
  assert.deepEqual(seen, []);
  await Promise.resolve();
  rig.events(1, put("a", 12));
  watcher.off("event", onEvent);
  rig.events(1, put("a", 13));
  assert.deepEqual(seen, ["batch of 1", "event 11", "batch of 1", "event 12", "batch of 1"]);
  assert.throws(() => watcher[Symbol.asyncIterator](), /has listeners already/);
});

test("iterated over, a watch takes no listeners for its data", () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  watcher.events();
  assert.throws(() => watcher.on("event", () => undefined), /iterated over already/);
});
