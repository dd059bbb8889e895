import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat } from "../../base/bytes.ts";
import { ByteQueue } from "./byte-queue.ts";

test("pieces of any size are the pushed bytes in order", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 200 });
  const sizes = fc.array(fc.nat({ max: 30 }), { maxLength: 200 });
  fc.assert(
    fc.property(chunks, sizes, (pushed, wanted) => {
      const queue = new ByteQueue();
      const taken: Uint8Array[] = [];
      const waiting = [...wanted];
      for (const chunk of pushed) {
        queue.push(chunk);
        while (waiting.length > 0 && waiting[0]! <= queue.length) {
          taken.push(queue.take(waiting.shift()!));
        }
      }
      taken.push(queue.take(queue.length));
      assert.deepEqual(concat(taken), concat(pushed));
      assert.equal(queue.length, 0);
    }),
  );
});

test("a piece inside one chunk is a view of it, and a number is read big-endian", () => {
  const queue = new ByteQueue();
  const chunk = new Uint8Array([9, 0, 0, 0, 0, 0, 1, 2, 3, 7]);
  queue.push(chunk);
  assert.equal(queue.takeByte(), 9);
  assert.equal(queue.takeUint64(), 0x10203);
  const piece = queue.take(1);
  assert.deepEqual([piece[0], piece.buffer === chunk.buffer], [7, true]);
});
