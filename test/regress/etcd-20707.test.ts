import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when refusal() does not look at the start revision.
test("etcd 20707 (row 41): negative start revisions are refused, zero and the largest are served", () => {
  const world = new WatchWorld();
  world.store.put("a", "1");
  for (const startRevision of [-1, -(2 ** 63)]) {
    assert.equal(world.create("a", "", { startRevision }), null);
  }
  assert.equal(world.output.refusals.length, 2);
  const now = world.create("a", "", { startRevision: 0 })!;
  const never = world.create("a", "", { startRevision: 2 ** 63 })!;
  world.store.put("a", "2");
  world.settle();
  assert.deepEqual(world.output.eventsOf(now), ["put a@3"]);
  assert.deepEqual(world.output.eventsOf(never), []);
  assert.equal(world.store.historyReads, 0);
});
