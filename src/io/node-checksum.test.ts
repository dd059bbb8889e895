import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeChecksum } from "./node-checksum.ts";

const { crc32, crc32c } = nodeChecksum;

/** Bit by bit, from the definition. */
function slow(bytes: Uint8Array, polynomial: number): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("the check values of both polynomials", () => {
  const digits = new TextEncoder().encode("123456789");
  assert.equal(crc32(digits, 0), 0xcbf43926);
  assert.equal(crc32c(digits, 0), 0xe3069283);
});

test("both equal the definition at every length, and continue from a seed", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
    assert.equal(crc32c(bytes, 0), slow(bytes, 0x82f63b78));
    assert.equal(crc32(bytes, 0), slow(bytes, 0xedb88320));
    assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut), 0)), crc32c(bytes, 0));
    assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut), 0)), crc32(bytes, 0));
  });
  fc.assert(property);
});
