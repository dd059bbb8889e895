import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/raft/types.ts";
import { directory, entry, hardState, plain, WalWorld } from "./harness.ts";

function append(world: WalWorld, wal: ReturnType<WalWorld["mustOpen"]>["wal"], entries: Entry[]) {
  world.run(() => wal.append(hardState(1, 0), entries));
}

test("a new log is empty, private to its member and reads back after a restart", () => {
  const world = new WalWorld(1);
  const opened = world.mustOpen();
  assert.equal(opened.isNew, true);
  assert.equal(opened.lastIndex, 0);
  append(world, opened.wal, [entry(1, 1, 10), entry(2, 1, 2000)]);
  world.settle();
  world.crash();
  const again = world.mustOpen();
  assert.equal(again.isNew, false);
  assert.deepEqual(plain(again.entries), plain([entry(1, 1, 10), entry(2, 1, 2000)]));
  assert.deepEqual(again.hardState, hardState(1, 0));
});

test("appends made while a write is under way share the next one", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen({ inlineEntriesMax: 0 });
  world.run(() => {
    for (let index = 1; index <= 7; index++) wal.append(hardState(1, 0), [entry(index, 1, 20)]);
  });
  world.settle();
  assert.equal(wal.counters.writes, 2);
  assert.equal(world.durable, 7);
});

test("a small append with nothing under way is durable before append returns", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen({ inlineEntriesMax: 1 });
  world.run(() => {
    const ticket = wal.append(hardState(1, 0), [entry(1, 1, 20)]);
    assert.equal(wal.durableTicket, ticket);
    const larger = wal.append(hardState(1, 0), [entry(2, 1, 20), entry(3, 1, 20)]);
    assert.ok(wal.durableTicket < larger);
  });
  world.settle();
  assert.equal(wal.durableTicket, 2);
});

test("a slow disk is not waited for in the loop; when it is fast again, it is", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen({ inlineEntriesMax: 1, inlineWriteMsMax: 3 });
  let index = 0;
  const appendMany = (count: number, delayMsMax: number): number => {
    world.disk.delayMsMax = delayMsMax;
    const before = wal.counters.inlineWrites;
    for (let n = 0; n < count; n++) {
      // Two entries are never written inline: their duration is what is measured.
      append(world, wal, [entry(++index, 1, 10), entry(++index, 1, 10)]);
      world.settle();
      append(world, wal, [entry(++index, 1, 10)]);
      world.settle();
    }
    return wal.counters.inlineWrites - before;
  };
  // Where a segment changes, appends share a write.
  assert.ok(appendMany(20, 2) >= 15);
  assert.ok(appendMany(20, 200) < 5);
  appendMany(10, 0.1);
  assert.ok(appendMany(20, 0.1) >= 15);
});

test("an entry larger than a segment gets a segment of its own size", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen();
  const entries = [entry(1, 1, 100), entry(2, 1, 10_000), entry(3, 1, 100)];
  for (const one of entries) append(world, wal, [one]);
  world.settle();
  world.crash();
  assert.deepEqual(plain(world.mustOpen().entries), plain(entries));
});

test("entries of every size around the end of a segment are kept", () => {
  for (let length = 1400; length <= 2600; length += 13) {
    const world = new WalWorld(length);
    const { wal } = world.mustOpen();
    const entries = [entry(1, 1, 1000), entry(2, 1, length), entry(3, 1, 1)];
    for (const one of entries) append(world, wal, [one]);
    world.settle();
    world.crash();
    assert.deepEqual(plain(world.mustOpen().entries), plain(entries), `length ${length}`);
  }
});

test("released segments are used again and their stale frames are never read", () => {
  const world = new WalWorld(3);
  let { wal } = world.mustOpen();
  for (let index = 1; index <= 60; index++) {
    append(world, wal, [entry(index, 1, 700)]);
    world.settle();
    if (index % 5 === 0) {
      wal.releaseTo(index - 2);
      world.settle();
      world.crash();
      const opened = world.mustOpen();
      wal = opened.wal;
      assert.equal(opened.lastIndex, index);
      assert.ok(opened.firstIndex <= index - 1 && opened.firstIndex >= index - 12);
    }
  }
  const files = [...world.disk.files().keys()].filter((path) => path.startsWith(directory));
  assert.ok(files.length <= 7, `${files.length} files are left`);
});

test("entries are read back by index, across frames and segments, within the byte bound", () => {
  const world = new WalWorld(4);
  const { wal } = world.mustOpen();
  const entries = [];
  for (let index = 1; index <= 30; index++) entries.push(entry(index, 1, 300));
  for (let i = 0; i < 30; i += 3) {
    append(world, wal, entries.slice(i, i + 3));
    world.settle();
  }
  append(world, wal, [entry(29, 2, 50)]);
  entries.splice(28, 2, entry(29, 2, 50));
  world.settle();
  const read = (low: number, high: number, bytesMax: number): Entry[] | null => {
    let found: Entry[] | null = null;
    world.run(() => {
      wal.entries(low, high, bytesMax, (error, value) => {
        assert.equal(error, null);
        found = value;
      });
    });
    world.settle();
    return found;
  };
  for (let low = 1; low <= 29; low++) {
    for (const high of [low + 1, low + 4, 30]) {
      assert.deepEqual(plain(read(low, high, 1e6)!), plain(entries.slice(low - 1, high - 1)));
    }
  }
  assert.deepEqual(plain(read(3, 30, 700)!), plain(entries.slice(2, 4)));
  assert.deepEqual(plain(read(3, 30, 1)!), plain(entries.slice(2, 3)));
  wal.releaseTo(20);
  world.settle();
  assert.equal(read(1, 5, 1000), null);
});

test("close waits for the write under way", () => {
  const world = new WalWorld(4);
  const { wal } = world.mustOpen({ inlineEntriesMax: 0 });
  let isClosed = false;
  world.run(() => {
    wal.append(hardState(1, 0), [entry(1, 1, 20)]);
    wal.close(() => {
      isClosed = true;
      assert.equal(wal.durableTicket, 1);
    });
    assert.equal(isClosed, false);
  });
  world.settle();
  assert.equal(isClosed, true);
});

test("a log that begins behind a snapshot forgets what was before, also after a restart", () => {
  const world = new WalWorld(1);
  const opened = world.mustOpen();
  append(world, opened.wal, [entry(1, 1, 10), entry(2, 1, 10), entry(3, 1, 10)]);
  world.settle();
  world.run(() => {
    opened.wal.beginBehind(40, 3, hardState(3, 40));
    opened.wal.append(hardState(3, 40), [entry(41, 3, 10), entry(42, 3, 10)]);
  });
  world.settle();
  assert.equal(opened.wal.lastIndex, 42);
  world.crash();
  const again = world.mustOpen();
  assert.deepEqual(again.base, { index: 40, term: 3 });
  assert.deepEqual([again.firstIndex, again.lastIndex], [41, 42]);
  assert.deepEqual(plain(again.entries), plain([entry(41, 3, 10), entry(42, 3, 10)]));
  assert.deepEqual(again.hardState, hardState(3, 40));
});

test("entries that wait are dropped by the beginning behind a snapshot", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen({ inlineEntriesMax: 0 });
  world.run(() => {
    wal.append(hardState(1, 0), [entry(1, 1, 10)]); // under way
    wal.append(hardState(1, 0), [entry(2, 1, 10)]); // waits
    wal.beginBehind(9, 2, hardState(2, 9));
    wal.append(hardState(2, 9), [entry(10, 2, 10)]);
    wal.append(hardState(2, 9), [entry(10, 3, 10), entry(11, 3, 10)]);
  });
  world.settle();
  world.crash();
  const again = world.mustOpen();
  assert.deepEqual(again.base, { index: 9, term: 2 });
  assert.deepEqual(plain(again.entries), plain([entry(10, 3, 10), entry(11, 3, 10)]));
});

test("segments before a snapshot leave like any other", () => {
  const world = new WalWorld(1);
  const { wal } = world.mustOpen();
  for (let index = 1; index <= 30; index++) {
    append(world, wal, [entry(index, 1, 500)]);
    world.settle();
  }
  world.run(() => {
    wal.beginBehind(100, 2, hardState(2, 100));
  });
  world.settle();
  for (let index = 101; index <= 130; index++) {
    append(world, wal, [entry(index, 2, 500)]);
    world.settle();
  }
  wal.releaseTo(130);
  world.settle();
  world.crash();
  const again = world.mustOpen();
  assert.ok(again.firstIndex > 101);
  assert.equal(again.base, null);
  assert.equal(again.lastIndex, 130);
});
