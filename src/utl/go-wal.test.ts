import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "../base/bytes.ts";
import type { Entry } from "../codec/raft.ts";
import { encodeGoWal, firstWalName, GoWalError, readGoWal } from "./go-wal.ts";

const confState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};
const entry = (index: number, term = 2, size = 700): Entry => ({
  ...{ type: 0, term, index },
  data: new Uint8Array(size).fill(index),
});
const log = {
  ...{ memberId: 0xfedc_ba98_7654_3210n, clusterId: 7n, confState },
  snapshot: { index: 5, term: 1 },
  hardState: { term: 2, vote: 1n, commit: 7 },
  entries: [entry(6), entry(7), entry(8, 2, 0)],
};
const whole = concat([...encodeGoWal(log)]);
const read = (bytes: Uint8Array, after = 5): ReturnType<typeof readGoWal> =>
  readGoWal([{ name: firstWalName, read: () => bytes }], after);

test("what was written is read back, from any index on", () => {
  const { memberId, clusterId, hardState, entries } = log;
  assert.deepEqual(read(whole), {
    ...{ memberId, clusterId, hardState, entries },
    ...{ snapshots: [{ index: 5, term: 1 }], term: 0, lastIndex: 8 },
  });
  const behind = read(concat([whole, new Uint8Array(4096)]), 7);
  assert.deepEqual([behind.entries, behind.term, behind.lastIndex], [[log.entries[2]], 2, 8]);
});

test("a log that lacks what follows the index is refused", () => {
  assert.throws(() => read(whole, 4), GoWalError);
  const names = ["0000000000000000-0000000000000000.wal", "0000000000000002-0000000000000006.wal"];
  const files = names.map((name) => ({ name, read: () => whole }));
  assert.throws(() => readGoWal(files, 5), /the WAL file before 0000000000000002-.* is missing/);
  const late = [{ name: names[1]!, read: () => whole }];
  assert.throws(() => readGoWal(late, 5), /no WAL file begins at index 5 or before/);
});

test("a later entry takes the place of those from its index on", () => {
  const entries = [...log.entries, entry(7, 3)];
  const found = read(concat([...encodeGoWal({ ...log, entries })]));
  assert.deepEqual(
    found.entries.map(({ index, term }) => [index, term]),
    [
      [6, 2],
      [7, 3],
    ],
  );
  assert.equal(found.lastIndex, 7);
});

test("a cut at the end drops the record it cut; a changed byte is refused", () => {
  const pieces = [...encodeGoWal(log)];
  // It ends with the record of entry 7.
  const bytes = concat(pieces.slice(0, 5));
  const lastRecord = bytes.length - pieces[4]!.length;
  assert.equal(read(bytes).lastIndex, 7);
  for (let length = lastRecord; length < bytes.length; length += 8) {
    assert.equal(read(bytes.subarray(0, length)).lastIndex, 6, `${length} bytes`);
  }
  const changed = bytes.slice();
  changed[lastRecord + 100]! ^= 1;
  assert.throws(() => read(changed), new RegExp(`the record at ${lastRecord} is damaged`));
  // A sector that was never written is the same as a cut.
  const torn = bytes.slice().fill(0, lastRecord + 512 - (lastRecord % 512));
  assert.equal(read(torn).lastIndex, 6);
});
