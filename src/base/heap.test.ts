import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IndexedHeap } from "./heap.ts";

interface Item {
  heapKey: number;
  heapIndex: number;
}

const commands = fc.array(
  fc.record({ kind: fc.constantFrom("set", "remove", "pop"), item: fc.nat(15), key: fc.nat(20) }),
  { maxLength: 200, size: "max" },
);

test("the heap's front is always a smallest live item, through moves and removals", () => {
  fc.assert(
    fc.property(commands, (list) => {
      const heap = new IndexedHeap<Item>();
      const items = Array.from({ length: 16 }, (): Item => ({ heapKey: 0, heapIndex: -1 }));
      const model = new Map<Item, number>();
      for (const { kind, item: n, key } of list) {
        const item = kind === "pop" ? heap.peek() : items[n]!;
        if (kind === "set") {
          heap.set(item!, key);
          model.set(item!, key);
        } else if (item !== undefined) {
          heap.remove(item);
          model.delete(item);
        }
        assert.equal(heap.size, model.size);
        assert.equal(
          heap.peek()?.heapKey,
          model.size === 0 ? undefined : Math.min(...model.values()),
        );
        for (const other of items) assert.equal(other.heapIndex >= 0, model.has(other));
      }
    }),
    { numRuns: 200 },
  );
});

test("a key that is not a number is refused", () => {
  const heap = new IndexedHeap<Item>();
  assert.throws(() => heap.set({ heapKey: 0, heapIndex: -1 }, NaN), /not a number/);
});
