import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare, fromBinaryString, toBinaryString } from "./bytes.ts";

test("binary strings keep every byte and the bytewise order, at any length", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 4090, maxLength: 8200 }),
  );
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const [x, y] = [toBinaryString(a), toBinaryString(b)];
      assert.deepEqual(fromBinaryString(x), a);
      assert.equal(x < y, compare(a, b) < 0);
    }),
    { numRuns: 50 },
  );
});
