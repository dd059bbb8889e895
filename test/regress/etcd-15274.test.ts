import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinaryString } from "../../src/base/bytes.ts";
import { createRequest, FakeStream } from "../watch/fake-stream.ts";
import { WatchWorld } from "../watch/world.ts";

test("etcd 15274: reconnecting slow watchers see every event exactly once", () => {
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
