import assert from "node:assert/strict";
import { test } from "node:test";
import { createRequest, FakeStream } from "../watch/fake-stream.ts";
import { WatchWorld } from "../watch/world.ts";

/** Ends its own stream and another one when it gets its first events. */
class EndingStream extends FakeStream {
  end: () => void = () => undefined;

  override events(...given: Parameters<FakeStream["events"]>): boolean {
    const isBelow = super.events(...given);
    this.end();
    return isBelow;
  }
}

// etcd let go of the lock of the store while watchers were being notified. Here one thread owns all
// of it, and what remains is a call that comes back while events are handed out.
// Seen to fail when WatchableStore.deliver() walks over the list itself instead of a copy.
test("etcd 13505 (row 43): streams that end while events are handed out disturb no other", () => {
  const world = new WatchWorld();
  const { watch, store } = world;
  const request = createRequest(Buffer.from("a"), new Uint8Array(0));
  const outputs = Array.from({ length: 9 }, () => new EndingStream());
  const streams = outputs.map((output) => watch.openStream(output));
  for (const stream of streams) {
    watch.create(stream, request);
    watch.create(stream, request);
  }
  outputs[3]!.end = () => {
    for (const at of [3, 1, 6]) watch.closeStream(streams[at]!);
  };
  store.put("a", "1");
  store.put("a", "2");
  world.settle();
  store.put("a", "3");
  world.settle();
  for (const at of [0, 2, 4, 5, 7, 8]) {
    for (const id of [0, 1]) {
      assert.deepEqual(outputs[at]!.eventsOf(id), ["put a@2", "put a@3", "put a@4"], `${at} ${id}`);
    }
  }
  assert.deepEqual(outputs[3]!.eventsOf(1), []);
  assert.deepEqual(outputs[6]!.byId.get(0)?.length, 1, "created, and nothing else");
  assert.equal(watch.counters.watchers, 12);
});
