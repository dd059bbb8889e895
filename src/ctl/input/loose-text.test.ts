import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { looseBytes, looseText } from "./loose-text.ts";

test("any bytes become text and the same bytes again", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.deepEqual(looseBytes(looseText(bytes)), bytes);
    }),
  );
});

test("valid text stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
      assert.equal(looseText(new TextEncoder().encode(text)), text);
    }),
  );
});
