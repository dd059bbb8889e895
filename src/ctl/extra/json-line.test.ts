import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../base/bytes.ts";
import { endLine, headLine, keyLine, LineError, parseLine } from "./json-line.ts";

const revisions = { createRevision: 2, modRevision: 3, version: 1 };

test("any key, value and lease comes back from its line as it was", () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "grapheme" }).map(utf8),
  );
  const key = fc.uint8Array({ minLength: 1, maxLength: 40 });
  const lease = fc.option(
    fc.record(
      { id: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), ttlSeconds: fc.nat() },
      { noNullPrototype: true },
    ),
  );
  fc.assert(
    fc.property(key, value, lease, (k, v, l) => {
      const line = keyLine({ key: k, value: v, ...revisions }, l);
      assert.equal(line.indexOf("\n"), line.length - 1);
      const parsed = parseLine(line);
      assert.ok(parsed.kind === "key");
      assert.deepEqual([...parsed.key], [...k]);
      assert.deepEqual([...parsed.value], [...v]);
      assert.deepEqual(parsed.lease, l);
    }),
  );
});

test("text stays text, other bytes are base64", () => {
  assert.equal(
    keyLine({ key: utf8("größe"), value: Uint8Array.of(0xff, 0), ...revisions }, null),
    '{"key":"größe","value_base64":"/wA=","create_revision":2,"mod_revision":3,"version":1}\n',
  );
});

test("first and last line come back", () => {
  const head = { revision: 7, clusterId: "ab", prefix: utf8("a/"), hasLeases: true };
  assert.deepEqual(parseLine(headLine(head)), { kind: "head", head });
  assert.deepEqual(parseLine(endLine(5)), { kind: "end", keys: 5 });
});

test("a line that cannot be imported says why", () => {
  const cases: [string, RegExp][] = [
    ["{", /no JSON$/],
    ["[]", /no JSON object/],
    ["null", /no JSON object/],
    ['{"value":"a"}', /needs key or key_base64/],
    ['{"key":"a","key_base64":"YQ==","value":""}', /needs key or key_base64/],
    ['{"key":"","value":"a"}', /the key is empty/],
    ['{"key":1,"value":"a"}', /key is no text/],
    ['{"key":"a"}', /needs value or value_base64/],
    ['{"key":"a","value_base64":"*"}', /value_base64 is no base64/],
    ['{"key":"a","value":"","lease":"xyz"}', /lease is no id/],
    ['{"key":"a","value":"","lease":"1","lease_ttl":-1}', /lease_ttl is no whole number/],
    ['{"quorate_export":2}', /another version/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parseLine(line),
      (error) => error instanceof LineError && message.test(error.message),
      line,
    );
  }
});
