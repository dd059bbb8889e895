import assert from "node:assert/strict";
import { test } from "node:test";

import { grpcCode } from "../../base/grpc-code.ts";
import { put, response, WatchRig } from "../../../test/client/watch-server.ts";
import {
  CanceledError,
  ClientClosedError,
  fromStatus,
  MalformedResponseError,
  PermissionDeniedError,
  WatchCanceledError,
  WatchCompactedError,
} from "../errors.ts";
import type { WatchBatch } from "../types.ts";
import { lingerMs, watchesPerStreamMax } from "./watch-stream.ts";
import type { ClientWatcher } from "./watcher.ts";

const broken = fromStatus(grpcCode.unavailable, "connection lost");

/** Revisions of events, p<revision> for notices. */
function record(watcher: ClientWatcher): string[] {
  const seen: string[] = [];
  watcher.on("batch", ({ events, isProgress, header }: WatchBatch) => {
    seen.push(isProgress ? `p${header.revision}` : events.map((e) => e.kv.modRevision).join("+"));
  });
  watcher.on("error", (error: Error) => {
    seen.push(error.name);
  });
  watcher.on("end", () => {
    seen.push("end");
  });
  return seen;
}

const settled = (): Promise<void> => Promise.resolve();

test("watches share one stream, each with an id of its own", () => {
  const rig = new WatchRig();
  rig.area.watch("a");
  rig.area.watch("b", { prefix: true, startRevision: 5, prevKv: true, noDelete: true });
  assert.equal(rig.caller.streams.length, 1);
  const [a, b] = rig.creates;
  assert.deepEqual([a!.watchId, b!.watchId], [1, 2]);
  assert.deepEqual([a!.startRevision, b!.startRevision], [0, 5]);
  assert.deepEqual([b!.prevKv, b!.noDelete, b!.noPut], [true, true, false]);
});

test("a stream takes so many watches, then another one is opened", () => {
  const rig = new WatchRig();
  for (let i = 0; i <= watchesPerStreamMax; i++) rig.area.watch(`k${i}`);
  assert.equal(rig.caller.streams.length, 2);
  assert.equal(rig.caller.stream(0).sent.length, watchesPerStreamMax);
});

test("watches that need a leader, or want notices, are on streams of their own", () => {
  const rig = new WatchRig();
  rig.area.watch("a");
  rig.area.watch("a", { requireLeader: true });
  rig.area.watch("a", { progressNotify: true });
  assert.equal(rig.caller.streams.length, 3);
  assert.deepEqual(rig.caller.stream(1).options, { requireLeader: true });
});

test("events reach the watch they are for, in order", async () => {
  const rig = new WatchRig();
  const a = record(rig.area.watch("a"));
  const b = record(rig.area.watch("b"));
  await settled();
  rig.created(1);
  rig.created(2);
  rig.events(2, put("b", 11));
  rig.events(1, put("a", 12), put("a", 13));
  rig.events(2, put("b", 14));
  assert.deepEqual(a, ["12+13"]);
  assert.deepEqual(b, ["11", "14"]);
});

test("a watch from now goes on behind its creation, or behind what it has seen", () => {
  const rig = new WatchRig();
  rig.area.watch("quiet");
  rig.area.watch("busy");
  rig.area.watch("unanswered");
  rig.created(1, 10);
  rig.created(2, 10);
  rig.events(2, put("busy", 15));
  rig.reconnect(broken);
  assert.deepEqual(
    rig.creates.map(({ startRevision }) => startRevision),
    [11, 16, 0],
  );
});

test("a watch from the future keeps its start over breaks and notices", () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a", { startRevision: 100 });
  rig.created(1, 10);
  rig.progress(-1, 20);
  rig.reconnect(broken);
  assert.equal(rig.creates[0]!.startRevision, 100);
  assert.equal(watcher.nextRevision, 100);
});

test("what a member repeats is delivered once", async () => {
  const rig = new WatchRig();
  const seen = record(rig.area.watch("a"));
  await settled();
  rig.created(1);
  rig.events(1, put("a", 11), put("a", 12));
  rig.events(1, put("a", 11));
  rig.events(1, put("a", 12), put("a", 13));
  rig.progress(1, 9);
  rig.progress(1, 13);
  assert.deepEqual(seen, ["11+12", "13", "p13"]);
});

test("a late answer of a broken stream is not heard", async () => {
  const rig = new WatchRig();
  const seen = record(rig.area.watch("a"));
  await settled();
  rig.created(1);
  const old = rig.stream;
  rig.reconnect(broken);
  old.receiver.message({ ...response(1, 11), events: [put("a", 11)] });
  old.receiver.failed(broken);
  assert.deepEqual(seen, []);
  assert.equal(rig.caller.streams.length, 2);
});

test("fragments are joined, and forgotten when the stream breaks between them", async () => {
  const rig = new WatchRig();
  const seen = record(rig.area.watch("a", { fragment: true }));
  await settled();
  rig.created(1);
  rig.fragment(1, put("a", 11));
  rig.reconnect(broken);
  assert.equal(rig.creates[0]!.startRevision, 11);
  rig.created(1);
  rig.fragment(1, put("a", 11), put("b", 11));
  rig.fragment(1, put("c", 11));
  assert.deepEqual(seen, []);
  rig.events(1, put("d", 12));
  assert.deepEqual(seen, ["11+11+11+12"]);
});

test("a notice for the whole stream reaches created watches only", async () => {
  const rig = new WatchRig();
  const created = record(rig.area.watch("a"));
  const waiting = record(rig.area.watch("b"));
  await settled();
  await rig.area.requestProgress();
  assert.deepEqual(rig.stream.sent.at(-1), { kind: "progress" });
  rig.created(1);
  rig.progress(-1, 30);
  assert.deepEqual(created, ["p30"]);
  assert.deepEqual(waiting, []);
});

test("progress asked for while there is no stream is asked for on the next one", async () => {
  const rig = new WatchRig();
  rig.area.watch("a");
  rig.stream.fail(broken);
  await rig.area.requestProgress();
  rig.clock.advance(100);
  assert.deepEqual(rig.stream.sent.at(-1), { kind: "progress" });
});

test("compaction ends a watch with the revision, at creation and on resumption", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a", { startRevision: 3 });
  rig.created(1);
  rig.canceled(1, { compactRevision: 7 });
  await assert.rejects(
    async () => {
      for await (const { events } of watcher) assert.equal(events.length, -1);
    },
    (error) => error instanceof WatchCompactedError && error.compactRevision === 7,
  );
  const negative = rig.area.watch("a", { startRevision: -1 });
  const cancelReason = "etcdserver: mvcc: required revision has been compacted";
  rig.canceled(-1, { created: true, cancelReason });
  await assert.rejects(negative.created, WatchCompactedError);
});

test("a refusal says why, typed, and belongs to the oldest open creation", async () => {
  const rig = new WatchRig();
  const denied = rig.area.watch("a");
  const allowed = rig.area.watch("b");
  const cancelReason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
  rig.canceled(-1, { created: true, cancelReason });
  rig.created(2);
  await allowed.created;
  await assert.rejects(denied.created, (error) => {
    assert.ok(error instanceof WatchCanceledError);
    assert.equal(error.code, grpcCode.permissionDenied);
    return error.cause instanceof PermissionDeniedError;
  });
});

test("a server that chooses ids itself is understood", async () => {
  const rig = new WatchRig();
  const a = record(rig.area.watch("a"));
  const b = record(rig.area.watch("b"));
  await settled();
  rig.created(0);
  rig.created(1);
  rig.events(0, put("a", 11));
  rig.events(1, put("b", 12));
  assert.deepEqual([a, b], [["11"], ["12"]]);
});

test("a watch canceled before it is created is canceled behind its creation", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  const seen = record(watcher);
  const other = record(rig.area.watch("b"));
  await settled();
  await watcher.cancel();
  assert.deepEqual(rig.cancels, [1]);
  rig.created(1);
  rig.events(1, put("a", 11));
  rig.created(2);
  rig.canceled(1);
  rig.events(2, put("b", 12));
  assert.deepEqual(seen, ["end"]);
  assert.deepEqual(other, ["12"]);
  assert.deepEqual(rig.cancels, [1]);
  await assert.rejects(watcher.created, CanceledError);
});

test("a canceled watch whose server chose another id is canceled by that id", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  rig.area.watch("b");
  await watcher.cancel();
  rig.created(0);
  assert.deepEqual(rig.cancels, [1, 0]);
});

test("the id of a watch that left is not used again on its stream", async () => {
  const rig = new WatchRig();
  const first = rig.area.watch("a");
  rig.created(1);
  await first.cancel();
  const seen = record(rig.area.watch("b"));
  await settled();
  assert.equal(rig.creates[1]!.watchId, 2);
  rig.events(1, put("a", 11));
  rig.canceled(1);
  rig.created(2);
  rig.events(2, put("b", 12));
  assert.deepEqual(seen, ["12"]);
});

test("a stream without watches is kept a while, then closed", async () => {
  const rig = new WatchRig();
  await rig.area.watch("a").cancel();
  rig.clock.advance(lingerMs - 1);
  const next = rig.area.watch("b");
  assert.equal(rig.caller.streams.length, 1);
  rig.clock.advance(lingerMs);
  assert.equal(rig.stream.isCanceled, false);
  await next.cancel();
  rig.clock.advance(lingerMs);
  assert.equal(rig.stream.isCanceled, true);
  assert.equal(rig.clock.pending, 0);
  rig.area.watch("c");
  assert.equal(rig.caller.streams.length, 2);
});

test("a watch canceled while its stream is broken leaves nothing behind", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  rig.stream.fail(broken);
  await watcher.cancel();
  assert.equal(rig.clock.pending, 0);
  rig.clock.advance(10_000);
  assert.equal(rig.caller.streams.length, 1);
});

test("a refusal of the stream that would come again ends all its watches", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  const seen = record(watcher);
  rig.stream.fail(fromStatus(grpcCode.unimplemented, "unknown service etcdserverpb.Watch"));
  await settled();
  assert.deepEqual(seen, ["WatchCanceledError"]);
  await assert.rejects(watcher.created, /unknown service/);
  assert.equal(rig.clock.pending, 0);
});

test("answers that make no sense end the watch after three openings", async () => {
  const rig = new WatchRig();
  const seen = record(rig.area.watch("a"));
  await settled();
  for (let opening = 1; opening <= 3; opening++) {
    assert.deepEqual(seen, []);
    rig.reconnect(new MalformedResponseError("fake:1", "/Watch", new Error("noise")));
  }
  assert.deepEqual(seen, ["WatchCanceledError"]);
});

test("an old token is replaced by opening the stream again, twice at most", async () => {
  const rig = new WatchRig();
  const watcher = rig.area.watch("a");
  const cancelReason = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
  for (let tries = 1; tries <= 2; tries++) {
    rig.canceled(-1, { created: true, cancelReason });
    assert.equal(rig.stream.isCanceled, true);
    assert.equal(rig.caller.refusedTokens, tries);
    rig.clock.advance(2_000);
    assert.equal(rig.caller.streams.length, tries + 1);
  }
  rig.canceled(-1, { created: true, cancelReason });
  await assert.rejects(watcher.created, /invalid auth token/);
});

test("a signal ends a watch quietly, and who waits for its creation learns why", async () => {
  const rig = new WatchRig();
  const controller = new AbortController();
  const watcher = rig.area.watch("a", { signal: controller.signal });
  const seen = record(watcher);
  rig.stream.fail(broken);
  controller.abort();
  assert.deepEqual(seen, ["end"]);
  await assert.rejects(watcher.created, /its last stream: connection lost/);
  assert.equal(rig.area.watch("b", { signal: AbortSignal.abort() }).isEnded, true);
  assert.equal(rig.caller.streams.length, 1);
});

test("closing the client ends all watches, streams and timers", async () => {
  const rig = new WatchRig();
  const live = record(rig.area.watch("a"));
  const other = rig.area.watch("b", { progressNotify: true });
  await settled();
  rig.stream.fail(broken);
  rig.caller.close();
  assert.deepEqual(live, ["end"]);
  assert.equal(rig.caller.stream(0).isCanceled, true);
  assert.deepEqual(rig.caller.stream(0).sent.length, 1);
  assert.equal(rig.clock.pending, 0);
  await assert.rejects(other.created, ClientClosedError);
  await assert.rejects(rig.area.watch("c").created, ClientClosedError);
});
