import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare, concat } from "../../base/bytes.ts";
import { EmptyKeyError } from "../errors.ts";
import { below, namedInterval, rangeOption } from "./interval.ts";

/** Whether a request for this interval meets the key. */
function meets(key: Uint8Array, from: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (rangeEnd.length === 0) return compare(key, from) === 0;
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return compare(key, from) >= 0 && (isOpen || compare(key, rangeEnd) < 0);
}

const edges = fc.constantFrom(0, 1, 0x61, 0xfe, 0xff);
const bytes = (min: number): fc.Arbitrary<Uint8Array> =>
  fc.array(edges, { minLength: min, maxLength: 3 }).map((all) => Uint8Array.from(all));

test("an interval below a prefix meets the same keys, each behind the prefix, and no others", () => {
  const rangeEnd = fc.oneof(fc.constant(Uint8Array.of(0)), bytes(0));
  fc.assert(
    fc.property(bytes(1), bytes(1), rangeEnd, bytes(1), bytes(0), (...of) => {
      const [prefix, key, end, probe, outside] = of;
      const moved = below(prefix, { key, rangeEnd: end });
      const inside = concat([prefix, probe]);
      assert.equal(meets(inside, moved.key, moved.rangeEnd), meets(probe, key, end));
      const isBelow = compare(outside.subarray(0, prefix.length), prefix) === 0;
      if (!isBelow) assert.equal(meets(outside, moved.key, moved.rangeEnd), false);
    }),
    { numRuns: 2_000 },
  );
});

test("an empty key without a range is refused as etcd refuses it", () => {
  assert.throws(() => namedInterval("", undefined), EmptyKeyError);
  assert.throws(() => namedInterval("", { prefix: false }), EmptyKeyError);
  assert.deepEqual(rangeOption(namedInterval("", { prefix: true })).rangeEnd, Uint8Array.of(0));
  assert.deepEqual(rangeOption(namedInterval("a", {})), {});
});
