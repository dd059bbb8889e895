import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when cancel() takes a negative id for 0: the watch ends.
test("etcd 14563 (row 42): a create that failed, and its cancel, leave watch id 0 alone", () => {
  const world = new WatchWorld();
  const id = world.create("a", "")!;
  assert.equal(id, 0);
  assert.equal(world.create("b", "a"), null);
  assert.equal(world.create("a", "", { startRevision: -1 }), null);
  world.watch.cancel(world.stream, -1);
  world.store.put("a", "1");
  world.settle();
  assert.deepEqual(world.output.eventsOf(0), ["put a@2"]);
  assert.equal(world.create("b", ""), 1);
});
