import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when chooseCohorts() moves the cursor to the compact revision: 3 to 7 are skipped.
test("etcd 17529 (row 37): a slow watch that lost its place to compaction is told so, not skipped ahead", () => {
  const world = new WatchWorld({ bound: 2 });
  const id = world.create("a", "")!;
  for (let i = 0; i < 10; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  world.store.compact(8);
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@2"]);
  assert.deepEqual(world.output.of(id).at(-1), { kind: "compacted", compactRevision: 8 });
  assert.equal(world.stream.watchers.size, 0);
});

test("etcd 17529 (row 37): a slow watch whose next revision survived the compaction loses nothing", () => {
  const world = new WatchWorld({ bound: 2 });
  const id = world.create("a", "")!;
  world.store.put("a", "1");
  world.turn.drain();
  world.store.put("b", "1");
  world.store.put("a", "2");
  world.turn.drain();
  world.store.compact(4);
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@2", "put a@4"]);
});
