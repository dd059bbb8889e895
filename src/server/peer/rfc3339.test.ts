import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatRfc3339, parseRfc3339 } from "./rfc3339.ts";

test("times are written as Date writes them and read as it reads them", () => {
  const yearMs = 365.25 * 86_400_000;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 * yearMs }), (ms) => {
      const text = formatRfc3339(ms);
      assert.equal(Date.parse(text), ms);
      assert.equal(parseRfc3339(text), ms);
      assert.equal(parseRfc3339(new Date(ms).toISOString()), ms);
    }),
  );
});

test("Go's fractions and zones are understood, other texts are not", () => {
  const want = Date.parse("2026-02-28T23:59:59.123Z");
  assert.equal(Math.floor(parseRfc3339("2026-03-01T01:29:59.123456789+01:30")!), want);
  for (const text of ["", "2026-02-28", "2026-02-28T23:59:59", "x2026-02-28T23:59:59Z"]) {
    assert.equal(parseRfc3339(text), null);
  }
});
