import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "./random.ts";

test("equal seeds give equal streams, other seeds and labels others", () => {
  const draw = (random: ReturnType<typeof createRandom>): number[] =>
    Array.from({ length: 20 }, () => random.u32());
  assert.deepEqual(draw(createRandom(5)), draw(createRandom(5)));
  assert.notDeepEqual(draw(createRandom(5)), draw(createRandom(6)));
  assert.notDeepEqual(draw(createRandom(5).fork("a")), draw(createRandom(5).fork("b")));
});

test("a fork does not shift the stream it came from", () => {
  const one = createRandom(5);
  const other = createRandom(5);
  other.fork("x").u32();
  assert.equal(one.u32(), other.u32());
});

test("below is uniform and in range", () => {
  const random = createRandom(1);
  const counts = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`);
  assert.equal(random.below(1), 0);
});
