import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createNodeRandom } from "./node-random.ts";

test("below stays below its bound", () => {
  const random = createNodeRandom();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (n) => {
      const drawn = random.below(n);
      assert.ok(drawn >= 0 && drawn < n && Number.isInteger(drawn));
    }),
  );
  assert.throws(() => random.below(0));
});

test("a thousand numbers and those of a fork are not the same ones", () => {
  const random = createNodeRandom();
  const fork = random.fork("other");
  const drawn = new Set<number>();
  for (let i = 0; i < 1000; i++) drawn.add(random.u32()).add(fork.u32());
  assert.ok(drawn.size > 1990);
});
