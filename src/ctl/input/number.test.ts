import assert from "node:assert/strict";
import { test } from "node:test";

import { ValueError } from "../../cli/go-value.ts";
import { checkPeerUrls } from "./peer-urls.ts";
import { parseSigned, parseUnsigned } from "./number.ts";

test("numbers are read in their base within 64 bits", () => {
  assert.equal(parseSigned("7fffffffffffffff", 16), 2n ** 63n - 1n);
  assert.equal(parseSigned("-10", 10), -10n);
  assert.equal(parseUnsigned("ffffffffffffffff", 16), 2n ** 64n - 1n);
});

test("what is no number is refused in Go's words", () => {
  const refusal = (text: string): ValueError => new ValueError(`strconv.${text}`);
  assert.throws(() => parseSigned("zz", 16), refusal('ParseInt: parsing "zz": invalid syntax'));
  assert.throws(
    () => parseSigned("8000000000000000", 16),
    refusal('ParseInt: parsing "8000000000000000": value out of range'),
  );
  assert.throws(() => parseUnsigned("-1", 16), refusal('ParseUint: parsing "-1": invalid syntax'));
});

test("peer URLs need a scheme, a port and no path", () => {
  assert.deepEqual(checkPeerUrls("http://a:1,https://[::1]:2"), ["http://a:1", "https://[::1]:2"]);
  const refused: readonly [string, RegExp][] = [
    ["bad", /URL scheme must be http, https, unix, or unixs: bad/],
    ["http://a", /does not have the form "host:port": http:\/\/a/],
    ["http://a:1/path", /must not contain a path/],
  ];
  for (const [url, message] of refused) assert.throws(() => checkPeerUrls(url), { message });
});
