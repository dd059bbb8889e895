import assert from "node:assert/strict";
import { test } from "node:test";
import { ProgressTicker } from "../../src/server/mvcc/watch-progress.ts";
import { FakeClock, FakeRandom } from "../watch/fakes.ts";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when Cohort.serve() starts every watch at the cohort's cursor, and when isCaughtUp()
// does not ask for the start revision.
test("etcd 20221 (row 40): a watch from a future revision gets no older event and no older notice", () => {
  const world = new WatchWorld();
  const clock = new FakeClock();
  const ports = { clock, random: new FakeRandom(3), intervalMs: 100 };
  new ProgressTicker(world.watch, world.stream, ports).start();
  const id = world.create("a", "", { startRevision: 51, progressNotify: true })!;
  for (let i = 2; i <= 50; i++) {
    world.store.put("a", String(i));
    if (i % 10 === 0) clock.advance(110);
    world.progress();
    world.turn.step();
  }
  assert.equal(world.output.of(id).length, 1);
  assert.equal(world.output.byId.has(-1), false);
  world.store.put("a", "51");
  world.progress();
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@51"]);
  assert.deepEqual(world.output.of(-1), [{ kind: "progress", revision: 51 }]);
});

test("etcd 20221 (row 40): nor after a snapshot was installed below its start", () => {
  const world = new WatchWorld();
  const id = world.create("a", "", { startRevision: 8 })!;
  world.store.listener = null;
  for (let i = 0; i < 4; i++) world.store.put("a", String(i));
  world.store.listener = world.watch;
  world.watch.replaced(2);
  world.settle();
  world.progress();
  for (let i = 0; i < 4; i++) world.store.put("a", String(i));
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@8", "put a@9"]);
  assert.equal(world.output.byId.has(-1), false);
});
