import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when Cohort.serve() goes on with a stream that is full.
test("etcd 16839 (row 45): a thousand slow watches keep cursors, not events", () => {
  const world = new WatchWorld({ bound: 1001 });
  for (let i = 0; i < 1000; i++) world.create("a", "", { prevKv: true });
  for (let i = 0; i < 200; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  assert.equal(world.output.pending, 1001);
  assert.equal(world.watch.slowCount, 1000);
  for (const watcher of world.stream.watchers.values()) {
    assert.equal(watcher.state, "held");
    assert.ok(watcher.cohort!.nextRevision <= 3);
  }
  world.settle();
  assert.equal(world.watch.sender.counters.events, 200_000);
});
