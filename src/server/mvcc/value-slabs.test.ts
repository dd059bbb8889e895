import assert from "node:assert/strict";
import { test } from "node:test";
import { storeLimits } from "./limits.ts";
import { ValueSlabs } from "./value-slabs.ts";

function setUp(): ValueSlabs {
  return new ValueSlabs({ ...storeLimits, slabBytes: 100, cacheBytesMax: 250 });
}

test("slabs above the bound go oldest first, once their batches are in the view", () => {
  const slabs = setUp();
  const sequences: number[] = [];
  for (let batch = 1; batch <= 8; batch++) {
    for (let i = 0; i < 4; i++) sequences.push(slabs.reserve(25, batch).sequence);
  }
  assert.equal(slabs.bytes, 800);
  slabs.durableBatch = 3;
  slabs.trim();
  assert.deepEqual(
    [1, 3, 4].map((n) => slabs.get(n) !== null),
    [false, false, true],
  );
  slabs.durableBatch = 8;
  slabs.trim();
  assert.equal(slabs.bytes, 200);
  assert.equal(slabs.get(6), null);
  assert.notEqual(slabs.get(8), null);
  assert.equal(slabs.get(0), null);
});

test("a large value gets a slab of its own and leaves the open one open", () => {
  const slabs = setUp();
  const small = slabs.reserve(10, 1);
  const large = slabs.reserve(5000, 1);
  assert.equal(large.bytes.length, 5000);
  assert.equal(slabs.reserve(10, 1), small);
  assert.equal(slabs.offset, 10);
});

test("thousands of slabs pass through without leaving anything behind", () => {
  const slabs = setUp();
  let last = 0;
  for (let i = 1; i <= 5000; i++) {
    slabs.durableBatch = i - 1;
    last = slabs.reserve(100, i).sequence;
    assert.ok(slabs.bytes <= 5100 + 300);
  }
  slabs.durableBatch = 5000;
  slabs.trim();
  assert.ok(slabs.bytes <= 250);
  assert.notEqual(slabs.get(last), null);
});
