import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IntervalTree } from "./interval-tree.ts";

const key = fc.string({ unit: fc.constantFrom("a", "b", "c", "\xff"), maxLength: 3 });
const range = fc.record({ start: key, end: fc.option(key) });
const commands = fc.array(
  fc.record({ kind: fc.constantFrom("add", "add", "remove"), range, probe: key }),
  { maxLength: 150, size: "max" },
);

test("a stab finds exactly the ranges that hold the key, as a linear search does", () => {
  fc.assert(
    fc.property(commands, (list) => {
      const tree = new IntervalTree<{ start: string; end: string | null }>();
      const model = new Map<string, { start: string; end: string | null }>();
      for (const { kind, range: one, probe } of list) {
        const name = JSON.stringify([one.start, one.end]);
        if (kind === "remove") {
          tree.remove(one.start, one.end);
          model.delete(name);
        } else if (!model.has(name)) {
          tree.add(one.start, one.end, one);
          model.set(name, one);
        }
        assert.equal(tree.size, model.size);
        assert.equal(tree.get(one.start, one.end), model.get(name));
        const found: (typeof one)[] = [];
        tree.stab(probe, found);
        const holds = (r: typeof one) => r.start <= probe && (r.end === null || probe < r.end);
        assert.deepEqual(new Set(found), new Set([...model.values()].filter(holds)));
        assert.equal(found.length, new Set(found).size);
      }
    }),
    { numRuns: 100 },
  );
});

test("many ranges in key order neither overflow the stack nor slow the query down", () => {
  const tree = new IntervalTree<number>();
  const name = (i: number) => String(i).padStart(6, "0");
  for (let i = 0; i < 20_000; i++) tree.add(name(i), name(i + 1), i);
  const found: number[] = [];
  for (let i = 0; i < 20_000; i++) tree.stab(name(i), found);
  assert.equal(found.length, 20_000);
  assert.ok(found.every((value, i) => value === i));
});
