import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { toGoJson } from "./go-json.ts";

test("text is escaped as Go escapes it", () => {
  assert.equal(
    toGoJson("<&>\u2028\u00e9\t\u0001"),
    '"\\u003c\\u0026\\u003e\\u2028\u00e9\\t\\u0001"',
  );
});

test("numbers of 64 bits are written in full, undefined ones left out", () => {
  const json = { id: 2n ** 64n - 1n, none: undefined, list: [true, null] };
  assert.equal(toGoJson(json), '{"id":18446744073709551615,"list":[true,null]}');
});

test("bytes are written in base64", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const text = btoa(String.fromCharCode(...bytes));
      assert.equal(toGoJson(bytes), `"${text}"`);
    }),
  );
});
