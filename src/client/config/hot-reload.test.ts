import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { HandClock } from "../../../test/client/scripted-caller.ts";
import { ConnectionError } from "../errors.ts";
import { ConfigError, HotConfig } from "./hot-reload.ts";

interface Limits {
  readonly rate: number;
}

/** As a schema's `parse` would: throws unless the input is what it should be. */
function parse(input: unknown): Limits {
  const { rate } = (input ?? {}) as Partial<Limits>;
  if (typeof rate !== "number") throw new TypeError("rate must be a number");
  return { rate };
}

const key = "config/limits";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "quorate-config-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function next<T>(config: HotConfig<T>, event: "change" | "error"): Promise<unknown> {
  return new Promise((resolve) => {
    if (event === "change") config.on(event, (value) => resolve(value));
    else config.on(event, resolve);
  });
}

test("the current value follows the key, and everybody who listens hears of it", async () => {
  const { client } = new FakeCluster();
  await client.kv.put(key, '{"rate":1}');
  const config = await HotConfig.open(client, { key, parse });
  assert.deepEqual([config.current, config.source, config.revision], [{ rate: 1 }, "etcd", 2]);
  const values = config[Symbol.asyncIterator]();
  assert.deepEqual((await values.next()).value, { rate: 1 });
  const change = new Promise((resolve) => config.on("change", (...both) => resolve(both)));
  await client.kv.put(key, '{"rate":2}');
  assert.deepEqual(await change, [{ rate: 2 }, { rate: 1 }]);
  assert.deepEqual((await values.next()).value, { rate: 2 });
  assert.deepEqual([config.current, config.revision], [{ rate: 2 }, 3]);
  await config.close();
  assert.equal((await values.next()).done, true);
});

test("a bad value is an error, and the last good one stays until the next good one", async () => {
  const { client } = new FakeCluster();
  await client.kv.put(key, '{"rate":1}');
  const config = await HotConfig.open(client, { key, parse });
  for (const [bad, why] of [
    ['{"rate":"x"}', /rate must be a number/],
    ["{", /is no JSON/],
    [null, /rate must be a number/],
  ] as const) {
    const error = next(config, "error");
    if (bad === null) await client.kv.delete(key);
    else await client.kv.put(key, bad);
    const seen = await error;
    assert.ok(seen instanceof ConfigError && why.test(seen.message));
    assert.equal(config.lastError, seen);
    assert.deepEqual(config.current, { rate: 1 });
  }
  const change = next(config, "change");
  await client.kv.put(key, '{"rate":3}');
  assert.deepEqual(await change, { rate: 3 });
  assert.equal(config.lastError, null);
  await config.close();
});

test("what is put again unchanged is no change, after an error neither", async () => {
  const { client } = new FakeCluster();
  await client.kv.put(key, '{"rate":1}');
  const config = await HotConfig.open(client, { key, parse });
  const seen: unknown[] = [];
  config.on("change", (value) => seen.push(value));
  await client.kv.put(key, '{ "rate": 1 }');
  const error = next(config, "error");
  await client.kv.put(key, "bad");
  await error;
  await client.kv.put(key, '{"rate":1}');
  const change = next(config, "change");
  await client.kv.put(key, '{"rate":2}');
  await change;
  assert.deepEqual(seen, [{ rate: 2 }]);
  assert.equal(config.lastError, null);
  await config.close();
});

test("a prefix gives an object of all its keys, one revision at a time", async () => {
  const { client } = new FakeCluster();
  await client.kv.put("app/b", "2");
  await client.kv.put("app/a", "1");
  const config = await HotConfig.open(client, {
    key: "app/",
    prefix: true,
    format: "text",
    parse: (input) => JSON.stringify(input),
  });
  assert.equal(config.current, '{"a":"1","b":"2"}');
  const change = next(config, "change");
  await client.kv
    .txn()
    .then(
      { kind: "put", key: "app/a", value: "9", options: {} },
      { kind: "delete", key: "app/b", options: {} },
    )
    .commit();
  assert.equal(await change, '{"a":"9"}');
  await config.close();
});

test("the last good value is kept in a file, which a start without etcd takes", async (t) => {
  const path = folder(t);
  const file = join(path, "limits.json");
  const cluster = new FakeCluster();
  await cluster.client.kv.put(key, '{"rate":1}');
  const first = await HotConfig.open(cluster.client, { key, parse, file });
  const bad = next(first, "error");
  await cluster.client.kv.put(key, '"bad"');
  await bad;
  await first.close();
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { revision: 2, input: { rate: 1 } });
  assert.deepEqual(readdirSync(path), ["limits.json"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);

  cluster.isDown = true;
  const clock = new HandClock();
  const opening = HotConfig.open(cluster.client, { key, parse, file, clock });
  await cluster.until(() => clock.pending === 2); // the start's, and that of the next try
  clock.advance(5_000);
  const second = await opening;
  assert.deepEqual([second.current, second.source, second.revision], [{ rate: 1 }, "file", 2]);
  assert.ok(second.lastError instanceof ConnectionError);
  cluster.isDown = false;
  const change = next(second, "change");
  await cluster.client.kv.put(key, '{"rate":5}');
  await cluster.until(() => {
    clock.advance(2_000);
    return second.source === "etcd";
  });
  assert.deepEqual(await change, { rate: 5 });
  await second.close();
  assert.equal(clock.pending, 0);
  assert.match(readFileSync(file, "utf8"), /"rate": 5/);
});

test("for a bad value at the start the file's is taken, a bad file is an error", async (t) => {
  const file = join(folder(t), "limits.json");
  const { client } = new FakeCluster();
  await client.kv.put(key, '"bad"');
  const open = () => HotConfig.open(client, { key, parse, file });
  await assert.rejects(open(), /no good: rate must be a number.*, and no .*limits.json/);
  writeFileSync(file, '{"revision":1,"input":{"rate":7}}');
  const config = await open();
  assert.deepEqual([config.current, config.source], [{ rate: 7 }, "file"]);
  await config.close();
  for (const bad of ["", "null", '{"input":{"rate":7}}', '{"revision":1,"input":{}}']) {
    writeFileSync(file, bad);
    await assert.rejects(open(), ConfigError);
  }
});

test("without value and file nothing opens; a file not writable is an error", async (t) => {
  const { client } = new FakeCluster();
  await assert.rejects(HotConfig.open(client, { key, parse }), ConfigError);
  await client.kv.put(key, '{"rate":1}');
  const file = join(folder(t), "missing", "limits.json");
  const config = await HotConfig.open(client, { key, parse, file });
  await next(config, "error");
  assert.deepEqual(config.current, { rate: 1 });
  assert.match(String(config.lastError), /ENOENT/);
  await config.close();
});
