import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../base/bytes.ts";
import { differences } from "./diff.ts";
import type { Entry } from "./side.ts";

type Keys = Readonly<Record<string, { value: string; version: number; lease: bigint }>>;

async function* entriesOf(keys: Keys): AsyncGenerator<Entry, void, undefined> {
  for (const key of Object.keys(keys).sort()) {
    const { value, version, lease } = keys[key]!;
    yield await Promise.resolve({ key: utf8(key), value: utf8(value), version, lease });
  }
}

async function compared(a: Keys, b: Keys, isOnlyValues = false): Promise<string[]> {
  const lines: string[] = [];
  for await (const { first, second, parts } of differences(
    entriesOf(a),
    entriesOf(b),
    isOnlyValues,
  )) {
    const key = String.fromCharCode(...(first ?? second)!.key);
    lines.push(`${key} ${first === null ? "+" : second === null ? "-" : parts.join()}`);
  }
  return lines;
}

function expected(a: Keys, b: Keys): string[] {
  const all = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return all.flatMap((key) => {
    const [x, y] = [a[key], b[key]];
    if (x === undefined) return [`${key} +`];
    if (y === undefined) return [`${key} -`];
    const names = ["value", "version", "lease"] as const;
    const parts = names.filter((name) => x[name] !== y[name]);
    return parts.length === 0 ? [] : [`${key} ${parts.join()}`];
  });
}

test("two ordered sides differ in what two tables of their keys differ in", async () => {
  const entry = fc.record({
    value: fc.constantFrom("", "x"),
    version: fc.constantFrom(1, 2),
    lease: fc.constantFrom(0n, 7n),
  });
  const keys = fc.dictionary(fc.constantFrom(..."abcdefgh"), entry);
  await fc.assert(
    fc.asyncProperty(keys, keys, async (a, b) => {
      assert.deepEqual(await compared(a, b), expected(a, b));
    }),
  );
});

test("leases and versions are passed over when only values count", async () => {
  const a = { k: { value: "x", version: 1, lease: 0n }, l: { value: "x", version: 1, lease: 0n } };
  const b = { k: { value: "x", version: 2, lease: 5n }, l: { value: "y", version: 2, lease: 0n } };
  assert.deepEqual(await compared(a, b, true), ["l value"]);
});
