import assert from "node:assert/strict";
import { test } from "node:test";

import { ExitError } from "../../cli/run.ts";
import { parseComparison } from "./comparison.ts";

const key = new TextEncoder().encode("k");

test("each target takes the operand that belongs to it", () => {
  assert.deepEqual(parseComparison('mod("k") > "0"'), {
    target: "mod",
    result: ">",
    key,
    operand: 0,
  });
  assert.deepEqual(parseComparison('ver("k") = "3"'), {
    ...{ target: "version", result: "=", key, operand: 3 },
  });
  assert.deepEqual(parseComparison('c("k") != "1"').target, "create");
  assert.deepEqual(parseComparison('val("k") < "x"').operand, new TextEncoder().encode("x"));
  assert.equal(parseComparison('lease("k") = "ff"').operand, 255n);
});

test("a comparison that cannot be read is refused in etcdctl's words", () => {
  const refused: readonly [string, string][] = [
    ["nothing", "malformed comparison: nothing"],
    ['mod("k" = "1"', 'malformed comparison: mod("k" = "1"; got mod("k")  ""'],
    ['mod("k") = 1', 'malformed comparison: mod("k") = 1; got mod("k") = ""'],
    ['mod("k")="1"', 'malformed comparison: mod("k")="1"; got mod("k")  ""'],
    ['x("k") = "1"', 'malformed comparison: x("k") = "1" (unknown target x)'],
    ['mod("k") = "x"', 'invalid txn compare request: mod("k") = "x"'],
    ['mod("k") ~ "1"', 'malformed comparison: mod("k") ~ "1" (unknown operator ~)'],
  ];
  for (const [line, message] of refused) {
    assert.throws(() => parseComparison(line), new ExitError(3, message));
  }
});
