import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./go-values.ts";
import { isIp, splitHostPort } from "./urls.ts";

test("a printed duration parses back to itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
  );
});

test("durations print as Go prints them", () => {
  const printed = [0, 100, 1_000, 90_000, 7_200_000, 1_500].map(formatDuration);
  assert.deepEqual(printed, ["0s", "100ms", "1s", "1m30s", "2h0m0s", "1.5s"]);
});

test("addresses are told from names", () => {
  const good = [
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "::",
    "fe80::1",
    "1:2:3:4:5:6:7:8",
    "::ffff:1.2.3.4",
  ];
  const bad = [
    "",
    "localhost",
    "1.2.3",
    "256.1.1.1",
    "1.2.3.4.",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "g::1",
  ];
  assert.deepEqual(
    good.filter((host) => !isIp(host)),
    [],
  );
  assert.deepEqual(bad.filter(isIp), []);
});

test("host and port are split at the right colon", () => {
  assert.deepEqual(splitHostPort("[::1]:80"), { host: "::1", port: "80" });
  assert.deepEqual(splitHostPort(":80"), { host: "", port: "80" });
  assert.equal(splitHostPort("::1:80"), null);
  assert.equal(splitHostPort("host"), null);
});
