import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeKeyValue, encodeKeyValue } from "../../codec/kv.ts";
import { Writer } from "../../codec/writer.ts";
import { encodeKv, KvScanner } from "./kv-bytes.ts";

const number = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 28, 2 ** 32),
);
const bytes = fc.uint8Array({ maxLength: 200 });
const kv = fc.record({
  key: bytes,
  create: number,
  mod: number,
  version: number,
  value: bytes,
  lease: fc.oneof(
    fc.constantFrom(0n, 1n, -1n, 1n << 31n, 1n << 35n),
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  ),
});

test("a KeyValue written in place is byte for byte that of the codec, and read back", () => {
  const out = new Writer();
  const scanner = new KvScanner();
  fc.assert(
    fc.property(kv, ({ key, create, mod, version, value, lease }) => {
      const encoded = encodeKv({ key, create, mod, version, value, lease });
      const plain = { key, createRevision: create, modRevision: mod, version, value, lease };
      out.reset();
      encodeKeyValue(out, plain);
      assert.deepEqual(encoded, out.copy());
      assert.deepEqual(decodeKeyValue(encoded), plain);
      scanner.scan(encoded, 0, encoded.length);
      assert.deepEqual(
        {
          key: encoded.slice(scanner.keyStart, scanner.keyEnd),
          createRevision: scanner.create,
          modRevision: scanner.mod,
          version: scanner.version,
          value: encoded.slice(scanner.valueStart, scanner.valueEnd),
          lease: scanner.lease,
        },
        plain,
      );
    }),
    { numRuns: 500 },
  );
});

test("stored bytes that are no KeyValue are found out", () => {
  const scanner = new KvScanner();
  for (const bad of [[0x3a, 0], [0x0a, 5, 1], [0x0b]]) {
    assert.throws(() => {
      scanner.scan(new Uint8Array(bad), 0, bad.length);
    });
  }
});
