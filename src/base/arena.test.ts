import assert from "node:assert/strict";
import { test } from "node:test";
import { Arena } from "./arena.ts";

test("copies stay as they were, whatever is copied after them", () => {
  const arena = new Arena(64);
  const sizes = [0, 1, 15, 16, 17, 64, 200, 3, 16, 16, 16, 16];
  const sources = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
  const copies = sources.map((source) => arena.copy(source));
  for (const source of sources) source.fill(0xff);
  copies.forEach((copy, i) => {
    assert.deepEqual([...copy], new Array<number>(sizes[i]!).fill(i + 1));
  });
});

test("small copies share a block, large ones do not", () => {
  const arena = new Arena(64);
  const small = arena.copy(new Uint8Array(8));
  assert.equal(small.buffer, arena.copy(new Uint8Array(8)).buffer);
  assert.notEqual(small.buffer, arena.copy(new Uint8Array(40)).buffer);
});
