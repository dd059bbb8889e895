import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when requestProgress() does not dispatch what was committed before.
test("etcd 15220 (row 32): a requested progress notice never overtakes events", () => {
  const world = new WatchWorld({ bound: 4 });
  const id = world.create("a", "")!;
  for (let i = 0; i < 30; i++) {
    world.store.put("a", String(i));
    const noticesBefore = world.output.of(-1).length;
    world.progress();
    const notice = world.output.of(-1)[noticesBefore];
    if (notice?.kind === "progress") {
      assert.equal(world.output.eventsOf(id).length, notice.revision - 1);
    }
    if (i % 7 === 0) world.read();
    if (i % 3 === 0) world.turn.step();
  }
  world.settle();
  world.progress();
  assert.deepEqual(world.output.of(-1).at(-1), { kind: "progress", revision: 31 });
  assert.equal(world.output.eventsOf(id).length, 30);
});

// Seen to fail when requestProgress() does not ask whether each watch has caught up.
test("etcd 15220 (row 32): no notice while a watch of the stream still reads history", () => {
  const world = new WatchWorld();
  world.store.put("a", "1");
  world.create("a", "", { startRevision: 1 });
  world.progress();
  assert.equal(world.output.byId.has(-1), false);
});
