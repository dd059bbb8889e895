import assert from "node:assert/strict";
import { test } from "node:test";
import { ProgressTicker } from "../../src/server/mvcc/watch-progress.ts";
import { FakeClock, FakeRandom } from "../watch/fakes.ts";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when the tick gives notices to watches that got events, and to no other.
test("etcd 17566 (row 33): watches that never saw an event get their notices all the same", () => {
  const world = new WatchWorld();
  const clock = new FakeClock();
  const ports = { clock, random: new FakeRandom(7), intervalMs: 100 };
  new ProgressTicker(world.watch, world.stream, ports).start();
  const other = world.create("other", "", { progressNotify: true })!;
  const filtered = world.create("a", "", { progressNotify: true, noPut: true })!;
  const fromHistory = world.create("none", "", { progressNotify: true, startRevision: 1 })!;
  world.store.put("a", "1");
  world.settle();
  clock.advance(110);
  world.progress();
  for (const id of [other, filtered, fromHistory]) {
    assert.deepEqual(world.output.of(id).slice(1), [{ kind: "progress", revision: 2 }]);
  }
  assert.deepEqual(world.output.of(-1), [{ kind: "progress", revision: 2 }]);
});
