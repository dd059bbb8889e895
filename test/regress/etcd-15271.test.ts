import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when WatchableStore.replaced() leaves cursors where they are: "seen" comes twice.
test("etcd 15271 (row 34): after a snapshot a synced watch does not replay what it has seen", () => {
  const world = new WatchWorld();
  const early = world.create("a", "", { startRevision: 1 })!;
  for (let i = 0; i < 5; i++) world.store.put("a", String(i));
  const late = world.create("a", "")!;
  world.settle();
  // What a synced watch is sent does not move its cursor.
  world.store.put("a", "seen");
  world.settle();
  world.store.listener = null;
  for (let i = 0; i < 3; i++) world.store.put("a", String(i));
  world.store.listener = world.watch;
  world.watch.replaced(8);
  world.store.put("a", "live");
  world.settle();
  const all = Array.from({ length: 10 }, (_, i) => `put a@${i + 2}`);
  assert.deepEqual(world.output.eventsOf(early), all);
  assert.deepEqual(world.output.eventsOf(late), all.slice(5));
});
