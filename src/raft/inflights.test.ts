import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Inflights } from "./inflights.ts";

const numRuns = Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 15_000);

test("the byte bound is soft: the message that reaches it still counts", () => {
  const window = new Inflights(10, 100);
  window.add(1, 99);
  assert.equal(window.isFull, false);
  window.add(2, 500);
  assert.equal(window.isFull, true);
  assert.throws(() => window.add(3, 1), /beyond the bound/);
  window.freeTo(2);
  assert.deepEqual([window.isFull, window.count, window.bytes], [false, 0, 0]);
});

test("messages are counted in order only", () => {
  const window = new Inflights(10, Infinity);
  window.add(5, 1);
  assert.throws(() => window.add(5, 1), /inflight 5 after 5/);
});

const operation = fc.oneof(
  fc.record({ add: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(20) }),
  fc.record({ freeBehind: fc.integer({ min: -2, max: 30 }) }),
  fc.constantFrom("reset" as const, ...Array<"none">(20).fill("none")),
);

test("the window is a list of index and bytes, whatever is added, freed and reset", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 20 }),
    fc.constantFrom(1, 30, 100, Infinity),
    fc.array(operation, { maxLength: 80 }),
    (countMax, bytesMax, operations) => {
      const window = new Inflights(countMax, bytesMax);
      let list: { index: number; bytes: number }[] = [];
      let last = 0;
      for (const op of operations) {
        if (op === "none") continue;
        if (op === "reset") {
          window.reset();
          list = [];
        } else if ("add" in op) {
          if (window.isFull) continue;
          last += op.add;
          window.add(last, op.bytes);
          list.push({ index: last, bytes: op.bytes });
        } else {
          window.freeTo(last - op.freeBehind);
          list = list.filter(({ index }) => index > last - op.freeBehind);
        }
        const bytes = list.reduce((sum, message) => sum + message.bytes, 0);
        assert.equal(window.count, list.length);
        assert.equal(window.bytes, bytes);
        assert.equal(window.isFull, list.length >= countMax || bytes >= bytesMax);
      }
    },
  );
  fc.assert(property, { numRuns });
});
