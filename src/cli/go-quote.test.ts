import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { goQuote, goRawQuote } from "./go-quote.ts";

test("text and bytes are quoted as Go's %q prints them", () => {
  const cases: [string | Uint8Array, string][] = [
    ["foo bar", '"foo bar"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["\0\x07\b\t\n\v\f\r\x7f", '"\\x00\\a\\b\\t\\n\\v\\f\\r\\x7f"'],
    ["grüße 世界 😀", '"grüße 世界 😀"'],
    ["\u00a0\u200b\ufeff\ufffd", '"\\u00a0\\u200b\\ufeff\ufffd"'],
    ["\u{e0001}", '"\\U000e0001"'],
    [Uint8Array.of(0xff, 0x61, 0xc3, 0x28), '"\\xffa\\xc3("'],
    [Uint8Array.of(0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80), quotedBytes()],
    [Uint8Array.of(0xe2, 0x82), '"\\xe2\\x82"'],
  ];
  for (const [value, wanted] of cases) assert.equal(goQuote(value), wanted);
});

function quotedBytes(): string {
  return '"\\xc0\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"';
}

test("text that a raw string can hold stands in back quotes", () => {
  assert.equal(goRawQuote("bogus"), "`bogus`");
  assert.equal(goRawQuote("a`b"), '"a`b"');
  assert.equal(goRawQuote("a\nb"), '"a\\nb"');
});

test("quoted bytes can be read back, whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = goQuote(bytes).slice(1, -1);
      assert.deepEqual(unquote(text), [...bytes]);
    }),
  );
});

function unquote(text: string): number[] {
  const bytes: number[] = [];
  const escape = /\\x(..)|\\u(....)|\\U(.{8})|\\([abtnvfr"\\])|([^\\])/gsu;
  for (const [, byte, short, long, named, plain] of text.matchAll(escape)) {
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else if (named !== undefined) {
      const codes: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
      bytes.push(codes[named] ?? named.charCodeAt(0));
    } else {
      const code = short ?? long;
      const letter = code === undefined ? plain! : String.fromCodePoint(parseInt(code, 16));
      bytes.push(...new TextEncoder().encode(letter));
    }
  }
  return bytes;
}
