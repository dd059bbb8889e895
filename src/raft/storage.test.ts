import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryStorage } from "./storage.ts";
import type { Entry } from "./types.ts";

function entries(from: number, to: number, term = 1, size = 10): Entry[] {
  const result: Entry[] = [];
  for (let index = from; index <= to; index++) {
    result.push({ type: 0, term, index, data: new Uint8Array(size) });
  }
  return result;
}

test("storage behaves like a plain list with a moving start", () => {
  const step = fc.record({
    back: fc.nat(3),
    count: fc.integer({ min: 1, max: 5 }),
    trim: fc.nat(9),
  });
  const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const storage = new MemoryStorage(0, 0, { bytesMax: 120, catchUpEntries: 4 });
    let model: Entry[] = [];
    let applied = 0;
    for (const [term, { back, count, trim }] of steps.entries()) {
      const first = Math.max(applied + 1, model.length + 1 - back);
      const added = entries(first, first + count - 1, term + 1);
      storage.append(added);
      model = [...model.slice(0, first - 1), ...added];
      applied = Math.max(applied, model.length - trim);
      storage.trim(applied);
      const start = storage.firstIndex();
      assert.equal(storage.lastIndex(), model.length);
      assert.ok(start <= applied + 1 && start > applied - 4);
      assert.equal(storage.term(start - 1), model[start - 2]?.term ?? 0);
      assert.deepEqual(storage.entries(start, model.length + 1, 1e6), model.slice(start - 1));
      assert.equal(storage.entries(start - 1, start, 10), null);
      assert.equal(storage.term(model.length + 1), null);
      assert.equal(storage.bytes, (model.length - start + 1) * 10);
      assert.ok(storage.bytes <= 120 || start === applied + 1, "over the bound only to be applied");
    }
  });
  fc.assert(property, { numRuns: 200 });
});

test("entries are cut at the byte bound, but one is always given", () => {
  const storage = new MemoryStorage(0, 0);
  storage.append(entries(1, 9));
  assert.equal(storage.entries(2, 10, 35)!.length, 3);
  assert.equal(storage.entries(2, 10, 0)!.length, 1);
  assert.equal(storage.entries(2, 2, 100)!.length, 0);
});

test("entries that are wanted stay beyond the limits, up to a bound of their own", () => {
  const storage = new MemoryStorage(0, 0, { bytesMax: 40, catchUpEntries: 2 });
  storage.append(entries(1, 9));
  storage.trim(9, 3);
  assert.equal(storage.firstIndex(), 4);
  storage.trim(9);
  assert.equal(storage.firstIndex(), 8);
  const data = new Uint8Array(64 * 1024 * 1024);
  for (let index = 10; index <= 15; index++) storage.append([{ type: 0, term: 1, index, data }]);
  storage.trim(15, 9);
  assert.equal(storage.firstIndex(), 16);
});
