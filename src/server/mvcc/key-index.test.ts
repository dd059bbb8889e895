import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare, fromBinaryString, toBinaryString } from "../../base/bytes.ts";
import { KeyIndex } from "./key-index.ts";
import { sortKeyIds } from "./key-sort.ts";
import { KeyTable } from "./key-table.ts";
import { flagTombstone } from "./records.ts";

/** Few distinct bytes and shared prefixes: much in common, ends inside one another. */
const word = fc
  .tuple(
    fc.constantFrom("", "/registry/", "/registry/pods/", "\0\0\0\0\0\0"),
    fc.string({ unit: fc.constantFrom("\0", "a", "b", "\xff"), maxLength: 14 }),
  )
  .map(([prefix, rest]) => prefix + rest)
  .filter((text) => text !== "");

function order(texts: Iterable<string>): string[] {
  return [...texts].sort((a, b) => compare(fromBinaryString(a), fromBinaryString(b)));
}

function treeKeys(index: KeyIndex): string[] {
  const out: string[] = [];
  for (const leaf of index.tree.leaves) {
    assert.ok(leaf.count > 0);
    for (const id of leaf.ids.subarray(0, leaf.count))
      out.push(toBinaryString(index.keys.view(id)));
  }
  return out;
}

function add(index: KeyIndex, text: string): void {
  const id = index.ensure(fromBinaryString(text));
  if (index.keys.head(id) === 0) index.push(id, 1, 0, 1, 1, 0);
}

function drop(index: KeyIndex, text: string): void {
  const id = index.keys.find(fromBinaryString(text));
  index.cut(id, index.keys.head(id));
  index.removeKey(id);
}

test("keys stay findable and in order through insertions and removals", () => {
  const change = fc.tuple(fc.boolean(), word);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 900, size: "max" }), (changes) => {
      const index = new KeyIndex(1);
      const model = new Set<string>();
      for (const [isAdded, text] of changes) {
        if (!isAdded && !model.has(text)) continue;
        if (isAdded) add(index, text);
        else drop(index, text);
        if (isAdded) model.add(text);
        else model.delete(text);
      }
      const sorted = order(model).map(fromBinaryString);
      assert.deepEqual(treeKeys(index), sorted.map(toBinaryString));
      for (const [, text] of changes) {
        const key = fromBinaryString(text);
        assert.equal(index.keys.find(key) >= 0, model.has(text));
        index.tree.seek(key);
        assert.equal(index.tree.found, model.has(text));
        const { leaf, index: at } = index.tree;
        const next = index.tree.leaves[leaf]?.ids[at];
        const expected = sorted.find((other) => compare(other, key) >= 0);
        assert.deepEqual(next === undefined ? undefined : index.keys.copy(next), expected);
      }
    }),
    { numRuns: 30 },
  );
});

test("the bulk sort agrees with a comparison sort", () => {
  fc.assert(
    fc.property(fc.uniqueArray(word, { maxLength: 600, size: "max" }), (texts) => {
      const keys = new KeyTable(2);
      const ids = new Uint32Array(texts.length);
      texts.forEach((text, i) => {
        assert.equal(keys.find(fromBinaryString(text)), -1);
        ids[i] = keys.add(fromBinaryString(text));
      });
      sortKeyIds(keys, ids);
      assert.deepEqual(
        [...ids].map((id) => toBinaryString(keys.view(id))),
        order(texts),
      );
    }),
    { numRuns: 30 },
  );
});

test("thousands of keys, added in and out of order, split and join leaves", () => {
  const index = new KeyIndex(3);
  const texts = Array.from(
    { length: 6000 },
    (_, i) => `k${String((i * 7919) % 6000).padStart(5, "0")}`,
  );
  for (const text of texts) add(index, text);
  for (let i = 6000; i < 8000; i++) add(index, `k${String(i).padStart(5, "0")}`);
  assert.equal(treeKeys(index).length, 8000);
  const kept = order(texts).filter((_, i) => i % 50 === 0);
  for (const text of texts) if (!kept.includes(text)) drop(index, text);
  assert.deepEqual(treeKeys(index).slice(0, kept.length), kept);
  assert.ok(index.tree.leaves.length < 20);
});

test("bytes of removed keys are used again, large keys too", () => {
  const keys = new KeyTable(4);
  const large = "x".repeat(40_000);
  for (let round = 0; round < 200; round++) {
    const ids = ["a", "0123456789", large].map((text) => {
      const key = fromBinaryString(text + String(round % 10));
      assert.equal(keys.find(key), -1);
      const id = keys.add(key);
      assert.equal(keys.find(key), id);
      assert.equal(toBinaryString(keys.view(id)), text + String(round % 10));
      return id;
    });
    assert.ok(Math.max(...ids) < 3);
    for (const id of ids) keys.remove(id);
  }
  assert.equal(keys.count, 0);
});

test("any revision of a long chain is found, also after its older part was pruned", () => {
  const index = new KeyIndex(5);
  const key = fromBinaryString("hot");
  const push = (main: number): void => {
    index.push(index.ensure(key), main, 0, 1, main, main % 301 === 0 ? flagTombstone : 0);
  };
  for (let main = 2; main <= 3000; main++) push(main);
  const id = index.keys.find(key);
  for (const pruned of [0, 700, 1500, 2990]) {
    const first = pruned === 0 ? 0 : index.firstRemovable(id, pruned);
    if (first !== 0) index.cut(id, first);
    for (let main = Math.max(2, pruned); main <= 3000; main++) {
      assert.equal(index.records.main(index.recordAt(id, main)), main);
    }
  }
  // Freed records are used again by another key; shortcuts must not lead there.
  const other = fromBinaryString("other");
  for (let main = 3001; main < 6000; main++) index.push(index.ensure(other), main, 0, 1, 1, 0);
  for (let main = 6000; main < 6600; main++) push(main);
  for (let main = 2990; main <= 3000; main++) {
    assert.equal(index.records.main(index.recordAt(id, main)), main);
  }
  assert.ok(index.records.shortcuts.size > 10 && index.records.shortcuts.size < 30);
});
