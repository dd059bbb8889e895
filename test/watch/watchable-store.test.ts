import assert from "node:assert/strict";
import { test } from "node:test";
import { ProgressTicker } from "../../src/server/mvcc/watch-progress.ts";
import { FakeStream } from "./fake-stream.ts";
import { FakeClock, FakeRandom } from "./fakes.ts";
import { WatchWorld } from "./world.ts";

test("a watch from now gets created first, then every matching event in order", () => {
  const world = new WatchWorld();
  world.store.put("a", "0");
  const id = world.create("a", "c")!;
  world.store.put("a", "1");
  world.store.put("c", "1");
  world.store.delete("a");
  world.settle();
  assert.deepEqual(world.output.of(id)[0], { kind: "created", revision: 2 });
  assert.deepEqual(world.output.eventsOf(id), ["put a@3", "del a@5"]);
});

test("transactions of one turn share one response per watch, revisions whole", () => {
  const world = new WatchWorld();
  const id = world.create("a", "\0")!;
  world.store.put("a", "1");
  world.store.txn([
    { key: "b", value: "1" },
    { key: "a", value: null },
  ]);
  world.turn.drain();
  assert.deepEqual(world.output.eventsOf(id), ["put a@2", "put b@3", "del a@3"]);
  assert.equal(world.output.of(id).length, 2);
});

test("ids count from zero, skip those in use, and negative ones are taken as given", () => {
  const world = new WatchWorld();
  assert.equal(world.create("a", "", { watchId: 1 }), 1);
  assert.equal(world.create("a", ""), 0);
  assert.equal(world.create("a", ""), 2);
  assert.equal(world.create("a", "", { watchId: -4 }), -4);
  world.watch.cancel(world.stream, 0);
  assert.equal(world.create("a", ""), 3);
});

test("duplicate id, empty range and negative start are refused with etcd's reasons", () => {
  const world = new WatchWorld();
  world.create("a", "", { watchId: 5 });
  assert.equal(world.create("a", "", { watchId: 5 }), null);
  assert.equal(world.create("b", "a"), null);
  assert.equal(world.create("b", "b"), null);
  assert.equal(world.create("a", "", { startRevision: -1 }), null);
  assert.deepEqual(
    world.output.refusals.map((one) => one.reason),
    [
      "mvcc: duplicate watch ID provided on the WatchStream",
      "mvcc: watcher range is empty",
      "mvcc: watcher range is empty",
      "etcdserver: mvcc: required revision has been compacted",
    ],
  );
  assert.equal(world.watch.counters.watchers, 1);
});

test("the empty key is the key zero; with an open end it is every key", () => {
  const world = new WatchWorld();
  const one = world.create("", "")!;
  const all = world.create("", "\0")!;
  world.store.put("a", "1");
  world.store.put("\0", "1");
  world.settle();
  assert.deepEqual(world.output.eventsOf(one), ["put \0@3"]);
  assert.deepEqual(world.output.eventsOf(all), ["put a@2", "put \0@3"]);
});

test("filters leave out puts or deletes, and an empty rest sends nothing", () => {
  const world = new WatchWorld();
  const noPut = world.create("a", "", { noPut: true })!;
  const noDelete = world.create("a", "", { noDelete: true })!;
  const nothing = world.create("a", "", { noPut: true, noDelete: true })!;
  world.store.put("a", "1");
  world.store.delete("a");
  world.settle();
  assert.deepEqual(world.output.eventsOf(noPut), ["del a@3"]);
  assert.deepEqual(world.output.eventsOf(noDelete), ["put a@2"]);
  assert.equal(world.output.of(nothing).length, 1);
});

test("prev_kv is the value before, live and from history, and absent once compacted", () => {
  const world = new WatchWorld();
  world.store.put("a", "1");
  world.store.put("a", "2");
  world.store.put("a", "3");
  world.store.compact(3);
  const id = world.create("a", "", { startRevision: 3, prevKv: true })!;
  world.settle();
  world.store.delete("a");
  world.settle();
  const prev = world.output
    .of(id)
    .flatMap((one) => (one.kind === "events" ? one.events.map((event) => event.prev) : []));
  assert.deepEqual(prev, [undefined, "2", "3"]);
});

test("history and live events join without gap or repeat", () => {
  const world = new WatchWorld();
  for (let i = 0; i < 2500; i++) world.store.put("a", String(i));
  const id = world.create("a", "", { startRevision: 1 })!;
  world.turn.step();
  world.store.put("a", "during");
  world.settle();
  world.store.put("a", "after");
  world.settle();
  const events = world.output.eventsOf(id);
  assert.equal(events.length, 2502);
  assert.deepEqual(
    events,
    events.map((_, i) => `put a@${i + 2}`),
  );
  assert.ok(world.output.of(id).length <= 6, "catching up shares responses");
});

test("one round covers a bounded piece of history for a bounded number of watchers", () => {
  const world = new WatchWorld();
  for (let i = 0; i < 50; i++) world.store.put("a", String(i));
  for (let i = 0; i < 600; i++) world.create("a", "", { startRevision: 2 });
  world.turn.step();
  assert.equal(world.watch.sender.counters.events, 16 * 512); // the next revision would pass 8192
  world.settle();
  assert.equal(world.watch.sender.counters.events, 30_000);
});

test("a catch-up response stops growing at its target size, at a whole revision", () => {
  const world = new WatchWorld();
  const value = "x".repeat(300_000);
  for (let i = 0; i < 3; i++) {
    world.store.txn([
      { key: "a", value },
      { key: "b", value },
      { key: "c", value },
    ]);
  }
  const id = world.create("a", "\0", { startRevision: 2 })!;
  world.settle();
  const sizes = world.output.of(id).map((one) => (one.kind === "events" ? one.events.length : 0));
  assert.deepEqual(sizes, [0, 6, 3]);
});

test("a start revision in the future delivers nothing before it", () => {
  const world = new WatchWorld();
  const id = world.create("a", "", { startRevision: 4 })!;
  for (let i = 0; i < 4; i++) world.store.put("a", String(i));
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@4", "put a@5"]);
});

test("a start below the compact revision is canceled with it, after created; at it, it is served", () => {
  const world = new WatchWorld();
  for (let i = 0; i < 4; i++) world.store.put("a", String(i));
  world.store.compact(4);
  const late = world.create("a", "", { startRevision: 3 })!;
  const inTime = world.create("a", "", { startRevision: 4 })!;
  world.settle();
  assert.deepEqual(world.output.of(late), [
    { kind: "created", revision: 5 },
    { kind: "compacted", compactRevision: 4 },
  ]);
  assert.deepEqual(world.output.eventsOf(inTime), ["put a@4", "put a@5"]);
  assert.equal(world.watch.counters.watchers, 1);
});

test("cancel answers once for a known id and not at all for another", () => {
  const world = new WatchWorld();
  const id = world.create("a", "")!;
  world.store.put("a", "1");
  world.watch.cancel(world.stream, id);
  world.watch.cancel(world.stream, id);
  world.watch.cancel(world.stream, 77);
  world.store.put("a", "2");
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@2"]);
  assert.deepEqual(world.output.of(id).at(-1), { kind: "canceled", revision: 2 });
  assert.equal(world.output.byId.has(77), false);
});

test("fragments split at the size limit, all but the last flagged, and only when asked for", () => {
  const world = new WatchWorld({ fragmentBytes: 200 });
  const ops = ["a", "b", "c", "d"].map((key) => ({ key, value: "v".repeat(60) }));
  const split = world.create("a", "\0", { fragment: true })!;
  const whole = world.create("a", "\0")!;
  world.store.txn(ops);
  world.settle();
  const parts = (id: number) =>
    world.output
      .of(id)
      .flatMap((one) => (one.kind === "events" ? [[one.events.length, one.fragment]] : []));
  assert.deepEqual(parts(split), [
    [1, true],
    [1, true],
    [1, true],
    [1, false],
  ]);
  assert.deepEqual(parts(whole), [[4, false]]);
});

test("a progress request is answered once for the stream when all its watches are synced", () => {
  const world = new WatchWorld();
  world.progress();
  const id = world.create("a", "")!;
  world.store.put("a", "1");
  world.progress();
  assert.deepEqual(world.output.of(-1), [{ kind: "progress", revision: 2 }]);
  assert.deepEqual(world.output.eventsOf(id), ["put a@2"]);
  world.create("a", "", { startRevision: 1 });
  world.progress();
  assert.equal(world.output.of(-1).length, 1);
  world.settle();
  world.progress();
  assert.equal(world.output.of(-1).length, 2);
});

test("periodic notices go to quiet, synced watches that asked, with up to a tenth of jitter", () => {
  const world = new WatchWorld();
  const clock = new FakeClock();
  const ports = { clock, random: new FakeRandom(1), intervalMs: 1000 };
  const ticker = new ProgressTicker(world.watch, world.stream, ports);
  const asked = world.create("a", "", { progressNotify: true })!;
  const silent = world.create("a", "")!;
  const future = world.create("b", "", { progressNotify: true, startRevision: 99 })!;
  ticker.start();
  ticker.start();
  clock.advance(999);
  assert.equal(world.output.of(asked).length, 1);
  clock.advance(101);
  assert.deepEqual(world.output.of(asked)[1], { kind: "progress", revision: 1 });
  world.store.put("a", "1");
  clock.advance(1100);
  assert.equal(world.output.of(asked).length, 3);
  assert.deepEqual(world.output.eventsOf(asked), ["put a@2"]);
  clock.advance(1100);
  assert.deepEqual(world.output.of(asked)[3], { kind: "progress", revision: 2 });
  assert.equal(world.output.of(silent).length, 2);
  assert.equal(world.output.of(future).length, 1);
  ticker.stop();
  assert.equal(clock.timers, 0);
});

test("a stream over its bound gets nothing more until it was read, then everything", () => {
  const world = new WatchWorld({ bound: 3 });
  const id = world.create("a", "")!;
  for (let i = 0; i < 50; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  assert.equal(world.output.pending, 3);
  assert.equal(world.watch.slowCount, 1);
  world.settle();
  assert.deepEqual(
    world.output.eventsOf(id),
    Array.from({ length: 50 }, (_, i) => `put a@${i + 2}`),
  );
});

test("one slow stream delays no other", () => {
  const world = new WatchWorld({ bound: 2 });
  const fast = new FakeStream();
  const stream = world.watch.openStream(fast);
  world.create("a", "");
  world.watch.create(stream, {
    key: new Uint8Array([97]),
    rangeEnd: new Uint8Array(0),
    ...{ startRevision: 0, progressNotify: false, noPut: false, noDelete: false },
    ...{ prevKv: false, watchId: 0, fragment: false },
  });
  for (let i = 0; i < 20; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  assert.equal(fast.eventsOf(0).length, 20);
});

test("a closed stream leaves nothing behind, in whatever state its watches were", () => {
  const world = new WatchWorld({ bound: 4 });
  world.create("a", "");
  world.create("b", "", { startRevision: 1 });
  for (let i = 0; i < 9; i++) {
    world.store.put("a", String(i));
    world.turn.drain();
  }
  world.create("a", "c", { startRevision: 1 });
  world.store.put("a", "last");
  world.watch.closeStream(world.stream);
  world.watch.closeStream(world.stream);
  world.turn.drain();
  assert.deepEqual(
    { ...world.watch.counters, slowed: 0 },
    { streams: 0, watchers: 0, unsynced: 0, held: 0, slowed: 0 },
  );
  assert.equal(world.watch.synced.size + world.watch.slowCount, 0);
});

test("a replaced store goes on where each watch was, without repeat", () => {
  const world = new WatchWorld();
  const id = world.create("a", "")!;
  world.store.put("a", "1");
  world.settle();
  world.store.listener = null; // the snapshot brings revisions the watches were not told of
  world.store.put("a", "2");
  world.store.put("a", "3");
  world.store.listener = world.watch;
  world.watch.replaced(3);
  world.settle();
  assert.deepEqual(world.output.eventsOf(id), ["put a@2", "put a@3", "put a@4"]);
});
