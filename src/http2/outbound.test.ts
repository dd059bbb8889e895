import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool } from "./outbound.ts";

const mib = 1024 * 1024;

test("a full pool gives up its smallest buffer for a larger one", () => {
  const pool = new BufferPool(2);
  pool.give(new Uint8Array(200_000));
  pool.give(new Uint8Array(300_000));
  const large = new Uint8Array(mib);
  pool.give(large);
  assert.equal(pool.take(mib), large);
  assert.equal(pool.take(1).length, 300_000);
});

test("the smallest buffer that fits is taken", () => {
  const pool = new BufferPool(3);
  for (const size of [mib, 300_000, 600_000]) pool.give(new Uint8Array(size));
  assert.equal(pool.take(400_000).length, 600_000);
  assert.equal(pool.take(400_000).length, mib);
  assert.ok(pool.take(400_000).length >= 400_000);
});
