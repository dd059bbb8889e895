import assert from "node:assert/strict";
import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { buckets } from "../../src/server/backend/backend.ts";
import type { Backend } from "../../src/server/backend/backend.ts";

/** Checks that the last commit of kill-child.ts is there whole, and returns its number. */
export function wholeness(backend: Backend): number {
  const view = backend.view();
  const index = view.consistentIndex;
  if (index > 0) {
    for (const name of buckets) {
      const row = view.get(name, fromBinaryString("latest"));
      assert.equal(toBinaryString(row ?? new Uint8Array(0)), String(index), `bucket ${name}`);
    }
    const rows = new Map<number, number>();
    view.range("key", fromBinaryString("row-"), fromBinaryString("row."), (key, value) => {
      assert.equal(value.length, 400);
      const n = Number(toBinaryString(key).split("-")[1]);
      rows.set(n, (rows.get(n) ?? 0) + 1);
      return true;
    });
    const expected = Array.from({ length: Math.min(index, 40) }, (_, i) => index - i);
    assert.deepEqual(
      [...rows].sort(([a], [b]) => b - a),
      expected.map((n) => [n, 20]),
    );
  }
  view.close();
  return index;
}
