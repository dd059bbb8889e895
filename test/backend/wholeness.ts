import assert from "node:assert/strict";
import { fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { buckets } from "../../src/server/backend/backend.ts";
import type { Backend, Bucket } from "../../src/server/backend/backend.ts";

/** The row that every commit rewrites. Keys of the `key` bucket look as revisions do. */
export const latestKey = (bucket: Bucket): string =>
  bucket === "key" ? "latest00_00000000" : "latest";

/** A row that one commit adds, of 20. */
export const addedKey = (commit: number, i: number): string =>
  `row${String(commit).padStart(5, "0")}_${String(i).padStart(8, "0")}`;

/** Checks that the last commit of kill-child.ts is there whole, and returns its number. */
export function wholeness(backend: Backend): number {
  const view = backend.view();
  const index = view.consistentIndex;
  if (index > 0) {
    for (const name of buckets) {
      const row = view.get(name, fromBinaryString(latestKey(name)));
      assert.equal(toBinaryString(row ?? new Uint8Array(0)), String(index), `bucket ${name}`);
    }
    const rows = new Map<number, number>();
    view.range("key", fromBinaryString("row"), fromBinaryString("rox"), (key, value) => {
      assert.equal(value.length, 400);
      const n = Number(toBinaryString(key).slice(3, 8));
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
