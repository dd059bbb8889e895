import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ValueError,
  formatDuration,
  formatList,
  parseBool,
  parseDuration,
  parseInt64,
  parseList,
  parseUint64,
} from "./go-value.ts";

const refused = (run: () => unknown, message: string): void => {
  assert.throws(run, (error) => error instanceof ValueError && error.message === message);
};

test("numbers are read in Go's notations and bounds", () => {
  assert.equal(parseInt64("0x10"), 16n);
  assert.equal(parseInt64("-0b11"), -3n);
  assert.equal(parseInt64("017"), 15n);
  assert.equal(parseInt64("1_000"), 1000n);
  assert.equal(parseInt64("-9223372036854775808"), -(1n << 63n));
  assert.equal(parseUint64("18446744073709551615"), (1n << 64n) - 1n);
  refused(() => parseInt64("a"), 'strconv.ParseInt: parsing "a": invalid syntax');
  refused(() => parseInt64(""), 'strconv.ParseInt: parsing "": invalid syntax');
  refused(
    () => parseInt64("9223372036854775808"),
    'strconv.ParseInt: parsing "9223372036854775808": value out of range',
  );
  refused(() => parseUint64("-1"), 'strconv.ParseUint: parsing "-1": invalid syntax');
  refused(() => parseBool("yes"), 'strconv.ParseBool: parsing "yes": invalid syntax');
});

test("durations are read and printed as Go does", () => {
  const cases: [string, bigint, string][] = [
    ["0", 0n, "0s"],
    ["5s", 5_000_000_000n, "5s"],
    ["1h2m3.5s", 3_723_500_000_000n, "1h2m3.5s"],
    ["90m", 5_400_000_000_000n, "1h30m0s"],
    ["1500us", 1_500_000n, "1.5ms"],
    ["1.5µs", 1_500n, "1.5µs"],
    ["-.5s", -500_000_000n, "-500ms"],
    ["7ns", 7n, "7ns"],
  ];
  for (const [text, ns, shown] of cases) {
    assert.equal(parseDuration(text), ns);
    assert.equal(formatDuration(ns), shown);
  }
  refused(() => parseDuration("x"), 'time: invalid duration "x"');
  refused(() => parseDuration(""), 'time: invalid duration ""');
  refused(() => parseDuration("5"), 'time: missing unit in duration "5"');
  refused(() => parseDuration("5y"), 'time: unknown unit "y" in duration "5y"');
  refused(() => parseDuration("3000000h"), 'time: invalid duration "3000000h"');
});

test("a printed duration is read back", () => {
  fc.assert(
    fc.property(fc.bigInt(-(1n << 62n), 1n << 62n), (ns) => {
      assert.equal(parseDuration(formatDuration(ns)), ns);
    }),
  );
});

test("lists are one line of comma-separated values", () => {
  assert.deepEqual(parseList(""), []);
  assert.deepEqual(parseList("a,,b"), ["a", "", "b"]);
  assert.deepEqual(parseList('"a,b","c""d"'), ["a,b", 'c"d']);
  refused(() => parseList('a"b'), 'parse error on line 1, column 2: bare " in non-quoted field');
  assert.equal(formatList(["a", "b,c"]), '[a,"b,c"]');
});
