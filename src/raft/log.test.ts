import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyConfState } from "./conf-change.ts";
import { RaftLog } from "./log.ts";
import { MemoryStorage } from "./storage.ts";
import type { Entry, SnapshotMetadata } from "./types.ts";

function entry(index: number, term: number, size = 1): Entry {
  return { type: 0, term, index, data: new Uint8Array(size) };
}

/** Entries 1, 2, ... with these terms. */
function entriesOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => entry(at + 1, term));
}

/** A log of which the first `stable` entries are synced. */
function logOf(terms: readonly number[], stable: number): RaftLog {
  const storage = new MemoryStorage(0, 0);
  storage.append(entriesOf(...terms.slice(0, stable)));
  const log = new RaftLog(storage, 0, 0);
  for (const one of entriesOf(...terms).slice(stable)) log.push(one);
  return log;
}

function termsOf(log: RaftLog): (number | null)[] {
  return Array.from({ length: log.lastIndex }, (_, at) => log.term(at + 1));
}

function snapshotAt(index: number, term: number): SnapshotMetadata {
  return { index, term, confState: { ...emptyConfState, voters: [1n] } };
}

test("entries are taken behind one that both logs have, and replace what contradicts them", () => {
  for (const stable of [0, 2, 5]) {
    const log = logOf([1, 1, 2, 2, 2], stable);
    assert.equal(log.append(3, 3, [entry(4, 3)]), false, "term differs");
    assert.equal(log.append(6, 2, [entry(7, 3)]), false, "beyond the end");
    assert.equal(log.append(2, 1, [entry(3, 2)]), true);
    assert.deepEqual(termsOf(log), [1, 1, 2, 2, 2], "an old append cuts nothing off");
    assert.equal(log.append(2, 1, [entry(3, 2), entry(4, 3), entry(5, 3)]), true);
    assert.deepEqual(termsOf(log), [1, 1, 2, 3, 3]);
    assert.equal(log.append(3, 2, [entry(4, 4)]), true);
    assert.deepEqual(termsOf(log), [1, 1, 2, 4]);
    assert.equal(log.syncedIndex, Math.min(stable, 3));
  }
});

test("a committed entry is never replaced", () => {
  const log = logOf([1, 1], 2);
  log.commitTo(2);
  assert.throws(() => log.append(1, 1, [entry(2, 2)]), /committed/);
  assert.throws(() => {
    log.commitTo(3);
  }, /beyond the log/);
});

test("the last index within a term skips all entries of later terms", () => {
  const log = logOf([1, 3, 3, 5, 5, 5], 3);
  assert.deepEqual(log.lastIndexWithin(6, 9), { index: 6, term: 5 });
  assert.deepEqual(log.lastIndexWithin(6, 4), { index: 3, term: 3 });
  assert.deepEqual(log.lastIndexWithin(2, 2), { index: 1, term: 1 });
  assert.deepEqual(log.lastIndexWithin(6, 0), { index: 0, term: 0 });
  assert.deepEqual(log.lastIndexWithin(9, 5), { index: 9, term: 0 }, "unknown: no conclusion");
});

test("entries come from storage and memory alike, cut at the byte bound", () => {
  for (const stable of [0, 2, 4]) {
    const log = logOf([1, 1, 1, 1], stable);
    const indexes = (low: number, bytesMax: number): number[] =>
      log.entriesFrom(low, bytesMax)!.map(({ index }) => index);
    assert.deepEqual(indexes(1, 100), [1, 2, 3, 4]);
    assert.deepEqual(indexes(3, 100), [3, 4]);
    assert.deepEqual(indexes(1, 3), [1, 2, 3]);
    assert.deepEqual(indexes(1, 2), [1, 2]);
    assert.deepEqual(indexes(2, 0), [2], "one entry always");
    assert.deepEqual(indexes(5, 100), []);
  }
});

test("entries that are gone from memory are null, and so is their term", () => {
  const storage = new MemoryStorage(4, 2);
  const log = new RaftLog(storage, 4, 4);
  log.push(entry(5, 3));
  assert.equal(log.entriesFrom(4, 100), null);
  assert.equal(log.term(3), null);
  assert.equal(log.term(4), 2);
  assert.equal(log.entriesFrom(5, 100)!.length, 1);
});

test("a snapshot is the whole log at once, but nothing is applied before it is installed", () => {
  const storage = new MemoryStorage(0, 0);
  storage.append(entriesOf(1, 1, 1));
  const log = new RaftLog(storage, 2, 0);
  log.push(entry(4, 1));
  log.handOutUnsynced(1);
  assert.equal(log.hasNextCommitted, true);
  log.restore(snapshotAt(10, 3));
  assert.deepEqual([log.firstIndex, log.lastIndex, log.commit, log.lastTerm], [11, 10, 10, 3]);
  assert.deepEqual([log.term(9), log.entriesFrom(3, 100)], [null, null]);
  assert.equal(log.hasNextCommitted, false, "LG4");
  assert.equal(log.hasUnsynced, true);
  assert.equal(log.handOutSnapshot(2)!.index, 10);
  assert.equal(log.handOutUnsynced(2).length, 0);
  assert.equal(log.handOutSnapshot(3), null, "handed out once");
  // Entries behind it may come meanwhile; the sync of those before it proves nothing.
  assert.equal(log.append(10, 3, [entry(11, 3)]), true);
  log.handOutUnsynced(3);
  storage.append([entry(4, 1)]);
  log.syncedTo(1);
  assert.deepEqual([log.applied, log.hasPendingSnapshot], [0, true]);
  storage.applySnapshot(snapshotAt(10, 3));
  log.syncedTo(2);
  assert.deepEqual([log.applied, log.hasPendingSnapshot, log.syncedIndex], [10, false, 10]);
  storage.append([entry(11, 3)]);
  log.syncedTo(3);
  log.commitTo(11);
  assert.deepEqual(
    log.handOutCommitted(100).map(({ index }) => index),
    [11],
  );
});

test("a second snapshot may come before the first is installed", () => {
  const storage = new MemoryStorage(0, 0);
  const log = new RaftLog(storage, 0, 0);
  log.restore(snapshotAt(5, 1));
  log.handOutSnapshot(1);
  log.handOutUnsynced(1);
  log.restore(snapshotAt(9, 2));
  log.handOutSnapshot(2);
  log.handOutUnsynced(2);
  storage.applySnapshot(snapshotAt(5, 1));
  log.syncedTo(1);
  assert.deepEqual([log.applied, log.hasPendingSnapshot, log.commit], [5, true, 9]);
  storage.applySnapshot(snapshotAt(9, 2));
  log.syncedTo(2);
  assert.deepEqual([log.applied, log.hasPendingSnapshot, log.syncedIndex], [9, false, 9]);
  assert.throws(() => {
    log.restore(snapshotAt(9, 2));
  }, /is old/);
});
