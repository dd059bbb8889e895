import assert from "node:assert/strict";
import { test } from "node:test";
import { UnstableLog } from "./log-unstable.ts";

function push(log: UnstableLog, term: number, ...indexes: number[]): void {
  for (const index of indexes) log.push({ type: 0, term, index, data: new Uint8Array(0) });
}

test("several syncs may be outstanding and each proves its own entries", () => {
  const log = new UnstableLog(0);
  push(log, 1, 1, 2);
  assert.equal(log.handOut(1).length, 2);
  push(log, 1, 3);
  assert.equal(log.handOut(2).length, 1);
  push(log, 1, 4);
  log.syncedTo(1);
  assert.equal(log.syncedIndex, 2);
  log.syncedTo(2);
  assert.equal(log.syncedIndex, 3);
  assert.equal(log.hasNext, true);
  assert.equal(log.offset, 4);
});

test("a sync proves nothing for an entry replaced meanwhile, even at the same index", () => {
  const log = new UnstableLog(0);
  push(log, 1, 1, 2, 3);
  log.handOut(1);
  log.truncateFrom(2);
  push(log, 2, 2, 3);
  log.handOut(2);
  log.syncedTo(1);
  assert.equal(log.syncedIndex, 1);
  log.syncedTo(2);
  assert.equal(log.syncedIndex, 3);
});

test("replacing entries that were synced takes their proof away", () => {
  const log = new UnstableLog(5);
  log.truncateFrom(4);
  assert.equal(log.syncedIndex, 3);
  push(log, 2, 4);
  assert.deepEqual(
    log.handOut(1).map((e) => e.index),
    [4],
  );
  log.syncedTo(1);
  assert.equal(log.syncedIndex, 4);
});
