import assert from "node:assert/strict";
import { test } from "node:test";

import { ExitError } from "../../cli/run.ts";
import { looseBytes } from "./loose-text.ts";
import { scanQuoted, splitWords, unquote } from "./words.ts";

test("a line is cut at blanks outside of quotes", () => {
  const line = `put  "key with \\"blanks\\"" 'single "quoted"' plain --flag=x`;
  const words = ["put", 'key with "blanks"', 'single "quoted"', "plain", "--flag=x"];
  assert.deepEqual(splitWords(line), words);
  assert.deepEqual(splitWords("   "), []);
});

test("escapes of Go make the bytes they name", () => {
  assert.deepEqual(
    looseBytes(unquote('"\\x00\\xff\\101\\n\\u00e9"')!),
    bytes(0, 255, 65, 10, 195, 169),
  );
  assert.equal(unquote('"\\xc3\\xa9"'), "é");
  assert.equal(unquote('"\\U0001f600"'), "\u{1f600}");
});

test("what Go cannot read in quotes is refused", () => {
  for (const wrong of ['"\\q"', '"\\x0"', '"\\ud800"', '"\\400"', '"a\nb"']) {
    assert.equal(unquote(wrong), undefined, wrong);
  }
  assert.throws(() => splitWords('put "\\q" v'), new ExitError(3, "invalid syntax"));
});

test("a quoted text at the beginning is told from what follows", () => {
  assert.deepEqual(scanQuoted(' "a" ) = "b"'), { value: "a", rest: ' ) = "b"' });
  assert.deepEqual(scanQuoted("`raw\\n`)"), { value: "raw\\n", rest: ")" });
  assert.equal(scanQuoted("plain"), undefined);
});

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
