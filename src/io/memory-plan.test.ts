import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planMemory } from "./memory-plan.ts";

const gib = 1024 ** 3;

test("a plan fits its limit from 192 MiB on", () => {
  fc.assert(
    fc.property(fc.integer({ min: 192, max: 1024 * 1024 }), (limitMiB) => {
      const plan = planMemory(limitMiB * 1024 * 1024);
      const overlayMiB = plan.overlayBytesMax / 1024 / 1024;
      assert.ok(plan.oldSpaceMiB + 3 * plan.semiSpaceMiB + overlayMiB < limitMiB);
    }),
  );
});

test("a large machine gets the largest new space", () => {
  assert.deepEqual(planMemory(8 * gib), {
    oldSpaceMiB: 4096,
    semiSpaceMiB: 64,
    overlayBytesMax: 256 * 1024 * 1024,
  });
});

test("a small container gets small spaces", () => {
  assert.deepEqual(planMemory(gib / 4), {
    oldSpaceMiB: 128,
    semiSpaceMiB: 8,
    overlayBytesMax: 32 * 1024 * 1024,
  });
});
