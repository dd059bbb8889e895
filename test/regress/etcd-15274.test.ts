import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinaryString } from "../../src/base/bytes.ts";
import { createRequest, FakeStream } from "../watch/fake-stream.ts";
import { WatchWorld } from "../watch/world.ts";

// Seen to fail when syncRound() sets the cursor one revision short of what it sent.
test("etcd 15274 (row 35): reconnecting slow watchers see every event exactly once", () => {
  const world = new WatchWorld({ bound: 2 });
  const seen: string[] = [];
  let output = world.output;
  let { stream } = world;
  let next = 1;
  for (let round = 0; round < 40; round++) {
    const request = createRequest(fromBinaryString("a"), fromBinaryString("\0"), {
      startRevision: next,
    });
    const { id } = world.watch.create(stream, request)!;
    for (let i = 0; i <= round % 5; i++) {
      world.store.txn([
        { key: "a", value: `${round}` },
        { key: "b", value: `${i}` },
      ]);
      if (i % 2 === 0) world.turn.step();
    }
    output.pending = 0;
    world.watch.resume(stream);
    if (round % 3 > 0) world.turn.step();
    const got = output.eventsOf(id);
    seen.push(...got);
    if (got.length > 0) next = Number(got.at(-1)!.split("@")[1]) + 1;
    world.watch.closeStream(stream);
    output = new FakeStream(1 + (round % 4));
    stream = world.watch.openStream(output);
  }
  const whole = world.store.truth.slice(0, seen.length);
  assert.deepEqual(
    seen,
    whole.map((event) => `put ${event.key}@${event.revision}`),
  );
  assert.ok(seen.length > 100);
});

// Seen to fail when Cohort.serve() does not note who was served before the stream was full (CO2).
test("etcd 15274 (row 35): watches of a stream that becomes full half-way see nothing twice", () => {
  const world = new WatchWorld({ bound: 5 });
  const ids = [0, 1, 2].map(() => world.create("a", "")!);
  for (let i = 0; i < 10; i++) {
    world.store.put("a", String(i));
    world.turn.step();
    if (i % 3 === 2) world.read();
  }
  world.settle();
  const all = Array.from({ length: 10 }, (_, i) => `put a@${i + 2}`);
  for (const id of ids) assert.deepEqual(world.output.eventsOf(id), all);
});
