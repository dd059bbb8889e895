import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyConfState } from "./conf-change.ts";
import {
  decodeReadContext,
  decodeRound,
  encodeReadContext,
  encodeRound,
  ReadIndexTracker,
  type ReadRequest,
} from "./read-index.ts";
import type { ConfState, RaftId } from "./types.ts";

const three: ConfState = { ...emptyConfState, voters: [1n, 2n, 3n] };

function own(context: number): ReadRequest {
  return { from: 0n, context, data: new Uint8Array(0) };
}

/** Node 1 leads; the contexts that `id`'s answer to `round` completes. */
function acknowledge(
  reads: ReadIndexTracker,
  round: number,
  id: RaftId,
  conf: ConfState = three,
): number[] {
  return reads.acknowledge(round, id, 1n, conf).map(({ request }) => request.context);
}

test("reads that come before a round begins share it; later ones need another", () => {
  const reads = new ReadIndexTracker();
  assert.equal(reads.beginRound(), 0, "nothing waits");
  reads.add(own(1), 10);
  reads.add(own(2), 11);
  assert.equal(reads.wantsRound, true);
  assert.equal(reads.beginRound(), 1);
  assert.equal(reads.wantsRound, false);
  reads.add(own(3), 12);
  assert.equal(reads.wantsRound, true);
  assert.deepEqual(acknowledge(reads, 1, 2n), [1, 2]);
  assert.deepEqual(acknowledge(reads, 1, 3n), [], "an answer to the earlier round");
  assert.equal(reads.beginRound(), 2);
  assert.deepEqual(acknowledge(reads, 2, 3n), [3]);
});

test("an answer to a round that has not begun, or to none, confirms nothing", () => {
  const reads = new ReadIndexTracker();
  reads.add(own(1), 10);
  assert.deepEqual(acknowledge(reads, 1, 2n), []);
  assert.deepEqual(acknowledge(reads, 0, 3n), []);
  reads.beginRound();
  assert.deepEqual(acknowledge(reads, 7, 2n), []);
  assert.deepEqual(acknowledge(reads, 1, 9n), [], "not a voter");
  assert.deepEqual(acknowledge(reads, 1, 2n), [1]);
});

test("a later round confirms the reads of earlier ones, in order", () => {
  const reads = new ReadIndexTracker();
  reads.add(own(1), 10);
  reads.beginRound();
  reads.add(own(2), 10);
  reads.beginRound();
  assert.deepEqual(acknowledge(reads, 2, 3n), [1, 2]);
});

test("both halves of a joint configuration must answer", () => {
  const joint = { ...three, votersOutgoing: [1n, 4n, 5n] };
  const reads = new ReadIndexTracker();
  reads.add(own(1), 10);
  reads.beginRound();
  assert.deepEqual(acknowledge(reads, 1, 2n, joint), []);
  assert.deepEqual(acknowledge(reads, 1, 3n, joint), []);
  assert.deepEqual(acknowledge(reads, 1, 4n, joint), [1]);
});

test("postponed reads are kept in order, up to a bound", () => {
  const reads = new ReadIndexTracker();
  let kept = 0;
  while (reads.postpone(own(kept))) kept++;
  assert.equal(kept, 4096);
  assert.deepEqual(
    reads.takePostponed().map(({ context }) => context),
    Array.from({ length: kept }, (_, at) => at),
  );
  assert.equal(reads.hasPostponed, false);
  let added = 0;
  while (reads.add(own(added), 1)) added++;
  assert.equal(added, 4096);
});

test("a read context names its member and comes back whole", () => {
  const id = 0x1234_5678_9abc_def0n;
  for (const context of [0, 1, 255, 256, 2 ** 40 + 3, 2 ** 48 - 1]) {
    const bytes = encodeReadContext(id, context);
    assert.equal(bytes.length, 8);
    assert.equal(decodeReadContext(id, bytes), context);
    assert.equal(decodeReadContext(id + 1n, bytes), -1);
  }
  assert.deepEqual([...encodeReadContext(id, 0x0102_0304_0506)], [0xde, 0xf0, 1, 2, 3, 4, 5, 6]);
  assert.equal(decodeReadContext(id, new Uint8Array(7)), -1);
  assert.equal(decodeReadContext(id, new Uint8Array(0)), -1);
});

test("a heartbeat's context is its round, anything else is none", () => {
  for (const round of [1, 300, 2 ** 40]) assert.equal(decodeRound(encodeRound(round)), round);
  assert.equal(decodeRound(new Uint8Array(0)), 0);
  assert.equal(decodeRound(new Uint8Array(9).fill(1)), 0);
  assert.equal(decodeRound(new Uint8Array(8).fill(255)), 0);
});
