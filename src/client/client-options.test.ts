import assert from "node:assert/strict";
import { test } from "node:test";

import { clientSettings } from "./client-options.ts";

test("without options a client talks to the local member with the limits of Go's client", () => {
  const settings = clientSettings({});
  assert.deepEqual(
    settings.endpoints.map((endpoint) => endpoint.text),
    ["127.0.0.1:2379"],
  );
  assert.deepEqual(
    [settings.requestBytesMax, settings.responseBytesMax, settings.retriesMax, settings.backoffMs],
    [2 * 1024 * 1024, 2 ** 31 - 1, 100, 25],
  );
  assert.deepEqual([settings.tls, settings.user, settings.token], [null, null, ""]);
});

test("endpoints may be a list or a text with commas, each counts once", () => {
  const texts = (given: string | string[]): string[] =>
    clientSettings({ endpoints: given }).endpoints.map((endpoint) => endpoint.text);
  assert.deepEqual(texts("a:1, b:2,,a:1"), ["a:1", "b:2"]);
  assert.deepEqual(texts(["a:1", "b:2"]), ["a:1", "b:2"]);
});

test("options that contradict each other or are out of range are refused by name", () => {
  const wrong: [Parameters<typeof clientSettings>[0], RegExp][] = [
    [{ endpoints: "" }, /At least one endpoint/u],
    [{ endpoints: "ftp://x" }, /ftp/u],
    [{ token: "t", username: "u", password: "p" }, /exclude/u],
    [{ password: "p" }, /username/u],
    [{ timeoutMs: 0 }, /timeoutMs/u],
    [{ timeoutMs: Number.NaN }, /timeoutMs/u],
    [{ requestBytesMax: 2 ** 32 }, /requestBytesMax/u],
    [{ backoffJitter: 2 }, /backoffJitter/u],
    [{ keepAlive: { intervalMs: 0 } }, /keepAlive\.intervalMs/u],
  ];
  for (const [options, message] of wrong) assert.throws(() => clientSettings(options), { message });
});

test("TLS options given as a function are asked each time", () => {
  let asked = 0;
  const settings = clientSettings({ tls: () => ({ serverName: `n${String(++asked)}` }) });
  assert.deepEqual([settings.tls?.().serverName, settings.tls?.().serverName], ["n1", "n2"]);
});
