import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toBinaryString } from "../../base/bytes.ts";
import { SortedRows } from "./sorted-rows.ts";

const bytes = fc.uint8Array({ maxLength: 3 });

test("the last row of each key comes out in order, however little fits into memory", () => {
  const rowsOf = fc.array(fc.tuple(bytes, bytes), { maxLength: 60 });
  fc.assert(
    fc.property(rowsOf, fc.constantFrom(0, 300, 1_000, 1e6), (rows, memoryBytesMax) => {
      const sorted = new SortedRows(memoryBytesMax);
      for (const [key, record] of rows) sorted.add(key, record);
      const last = new Map(rows.map(([key, record]) => [toBinaryString(key), [...record]]));
      const wanted = [...last].filter(([, record]) => record.length > 0).sort(byKey);
      const got = [...sorted.rows()].map(({ key, record }) => [key, [...record]]);
      sorted.close();
      assert.deepEqual(got, wanted);
    }),
    { numRuns: 60 },
  );
});

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

test("records longer than a window survive the way over a file", () => {
  const sorted = new SortedRows(1);
  const long = new Uint8Array(700_000).map((_, i) => i * 7);
  const key = Uint8Array.of(1);
  sorted.add(key, long);
  sorted.add(Uint8Array.of(2), Uint8Array.of(5));
  const rows = [...sorted.rows()];
  sorted.close();
  assert.deepEqual(rows[0]?.record.length, long.length);
  assert.ok(rows[0].record.every((byte, i) => byte === long[i]));
  assert.deepEqual(rows[1], { key: "\u0002", record: Uint8Array.of(5) });
});
