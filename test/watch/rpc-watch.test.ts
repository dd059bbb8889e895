import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderCodec } from "../../src/codec/header.ts";
import { createWatchService } from "../../src/server/rpc/watch.ts";
import { FakeCall } from "./fake-call.ts";
import { FakeClock, FakeRandom } from "./fakes.ts";
import { fieldsOf, message, nested } from "./messages.ts";
import { WatchWorld } from "./world.ts";

const create = (...fields: Parameters<typeof message>) => message([1, message(...fields)]);
const cancel = (id: bigint) => message([2, message([1, id])]);
const progress = message([3, new Uint8Array(0)]);

function setup() {
  const world = new WatchWorld({ fragmentBytes: 300 });
  const clock = new FakeClock();
  const [method] = createWatchService({
    store: world.watch,
    header: new HeaderCodec(11n, 22n),
    raftTerm: () => 3,
    clock,
    random: new FakeRandom(5),
    progressNotifyIntervalMs: 1000,
  });
  return { world, clock, method: method!, call: new FakeCall(method!) };
}

/** A response as {revision, id, ...set fields, events}. */
function show(bytes: Uint8Array): Record<string, unknown> {
  const fields = fieldsOf(bytes);
  const header = nested(fields[1]![0]);
  assert.deepEqual([header[1], header[2], header[4]], [[11n], [22n], [3n]]);
  const shown: Record<string, unknown> = {
    revision: Number(header[3]?.[0] ?? 0n),
    id: Number(fields[2]?.[0] ?? 0n),
  };
  if (fields[3] !== undefined) shown["created"] = true;
  if (fields[4] !== undefined) shown["canceled"] = true;
  if (fields[5] !== undefined) shown["compactRevision"] = Number(fields[5][0]);
  if (fields[6] !== undefined) shown["reason"] = fields[6][0];
  if (fields[7] !== undefined) shown["fragment"] = true;
  if (fields[11] !== undefined) shown["events"] = fields[11].map(showEvent);
  return shown;
}

/** The event's KeyValue as "key=value@modRevision". */
function showEvent(event: string | bigint): string {
  const kv = nested(nested(event)[2]![0]);
  return `${kv[1]![0]}=${kv[5]?.[0] ?? ""}@${kv[3]![0]}`;
}

test("the stream answers create, events, progress and cancel in wire form", () => {
  const { world, call } = setup();
  call.receive(create([1, "a"]));
  call.receive(create([1, "a"], [2, "\0"], [7, 300n]));
  world.store.put("a", "1");
  world.turn.drain();
  call.receive(progress).receive(cancel(300n)).receive(cancel(300n)).receive(new Uint8Array(0));
  assert.deepEqual(call.messages.map(show), [
    { revision: 1, id: 0, created: true },
    { revision: 1, id: 300, created: true },
    { revision: 2, id: 0, events: ["a=1@2"] },
    { revision: 2, id: 300, events: ["a=1@2"] },
    { revision: 2, id: -1 },
    { revision: 2, id: 300, canceled: true },
  ]);
});

test("failed creates, compacted starts and negative ids look as etcd's", () => {
  const { world, call } = setup();
  for (let i = 0; i < 3; i++) world.store.put("a", "1");
  world.store.compact(4);
  call.receive(create([1, "b"], [2, "a"]));
  call.receive(create([1, "a"], [3, -1n]));
  call.receive(create([1, "a"], [3, 2n], [7, -4n]));
  world.turn.drain();
  assert.deepEqual(call.messages.map(show), [
    { revision: 4, id: -1, created: true, canceled: true, reason: "mvcc: watcher range is empty" },
    {
      ...{ revision: 4, id: -1, created: true, canceled: true },
      reason: "etcdserver: mvcc: required revision has been compacted",
    },
    { revision: 4, id: -4, created: true },
    { revision: 0, id: -4, canceled: true, compactRevision: 4 },
  ]);
});

test("ids of every width patch correctly into shared responses", () => {
  const { world, call } = setup();
  const ids = [0, 1, 127, 128, 129, 16_384, -1, -2, 2 ** 40, 2];
  for (const id of ids) call.receive(create([1, "a"], [7, BigInt(id)]));
  call.messages.length = 0;
  for (let i = 0; i < 2; i++) {
    world.store.put("a", "1");
    world.turn.drain();
  }
  const seen = call.messages.map(show);
  for (const revision of [2, 3]) {
    const events = [`a=1@${revision}`];
    const got = seen.filter((one) => one["revision"] === revision);
    assert.deepEqual(
      got,
      ids.map((id) => ({ revision, id, events })),
    );
  }
});

test("large events go by reference and arrive whole; fragments carry their flag", () => {
  const { world, call } = setup();
  const value = "v".repeat(20_000);
  call.receive(create([1, "a"], [2, "\0"], [8, 1n]));
  call.receive(create([1, "a"], [2, "\0"]));
  world.store.txn([
    { key: "a", value },
    { key: "b", value },
  ]);
  world.turn.drain();
  const a = `a=${value}@2`;
  const b = `b=${value}@2`;
  assert.deepEqual(call.messages.slice(2).map(show), [
    { revision: 2, id: 0, fragment: true, events: [a] },
    { revision: 2, id: 0, events: [b] },
    { revision: 2, id: 1, events: [a, b] },
  ]);
});

test("a half-closed stream keeps delivering; a cancelled one is freed", () => {
  const { world, clock, call } = setup();
  call.receive(create([1, "a"], [4, 1n]));
  call.halfClose();
  world.store.put("a", "1");
  world.turn.drain();
  assert.equal(call.messages.length, 2);
  assert.equal(call.status, null);
  assert.equal(clock.timers, 1);
  call.cancel();
  assert.equal(clock.timers, 0);
  assert.equal(world.watch.counters.watchers, 0);
  assert.equal(world.watch.synced.size, 0);
});

test("a stream over its pending bytes stops and goes on when it is writable", () => {
  const { world, call } = setup();
  call.receive(create([1, "a"]));
  call.pendingBytesHigh = 100;
  for (let i = 0; i < 100; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  assert.ok(call.pendingBytes < 200);
  assert.equal(world.watch.slowCount, 1);
  while (world.watch.slowCount > 0) {
    call.drain();
    world.turn.drain();
  }
  const events = call.messages.flatMap((bytes) => (show(bytes)["events"] as string[]) ?? []);
  assert.deepEqual(
    events,
    Array.from({ length: 100 }, (_, i) => `a=${i}@${i + 2}`),
  );
});

test("periodic notices run while a watch of the stream asks for them", () => {
  const { clock, call } = setup();
  call.receive(create([1, "a"]));
  assert.equal(clock.timers, 0);
  call.receive(create([1, "a"], [4, 1n]));
  clock.advance(2200);
  assert.deepEqual(call.messages.slice(2).map(show), [
    { revision: 1, id: 1 },
    { revision: 1, id: 1 },
  ]);
});
