import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { NodeLog } from "./node-log.ts";
import { createNodeLog } from "./node-log.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-log-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What the log file holds after `use`. */
async function written(
  options: { level: "info" | "debug" | "error"; format: "json" | "console" },
  use: (log: NodeLog) => unknown,
): Promise<string> {
  const path = join(folder, "log");
  const log = createNodeLog({ ...options, outputs: [path] }, () => {
    throw new Error("ended");
  });
  await use(log);
  await log.close();
  return readFileSync(path, "utf8");
}

test("a line is etcd's JSON: level, time in microseconds, message, fields", async () => {
  const text = await written({ level: "info", format: "json" }, (log) => {
    log.info("ready to serve client requests", { "member-id": 5n, error: new Error("why"), n: 1 });
  });
  const { ts, ...rest } = JSON.parse(text) as Record<string, unknown>;
  assert.match(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.deepEqual(rest, {
    level: "info",
    msg: "ready to serve client requests",
    "member-id": "5",
    error: "why",
    n: 1,
  });
});

test("lines below the level are dropped", async () => {
  const text = await written({ level: "error", format: "json" }, (log) => {
    log.warn("quiet");
    log.error("loud");
  });
  assert.equal(text.includes("quiet"), false);
  assert.equal(text.includes("loud"), true);
});

test("the console form is one tab-separated line", async () => {
  const text = await written({ level: "debug", format: "console" }, (log) => {
    log.debug("hello", { a: 1 });
  });
  assert.match(text, /^\S+Z\tdebug\thello\t\{"a":1\}\n$/);
});

test("fatal writes its line, then ends the process", async () => {
  const text = await written({ level: "info", format: "json" }, (log) => {
    assert.throws(() => log.fatal("over"), /ended/);
  });
  assert.equal((JSON.parse(text) as { level: string }).level, "fatal");
});

test("once settled, a fatal line comes last, however slow the disk", async () => {
  const text = await written({ level: "info", format: "json" }, async (log) => {
    for (let i = 0; i < 1000; i++) log.info("line", { i });
    await log.settled();
    await log.settled(); // with nothing under way it is there at once
    assert.throws(() => log.fatal("over"), /ended/);
  });
  const lines = text.trim().split("\n");
  assert.equal(lines.length, 1001);
  assert.match(lines.at(-1) ?? "", /"level":"fatal"/);
});

test("close waits for every line, the one being written too", async () => {
  const text = await written({ level: "info", format: "json" }, (log) => {
    for (let i = 0; i < 1000; i++) log.info("line", { i });
  });
  assert.equal(text.split("\n").length, 1001);
});

test("a line after the end of the log is dropped", async () => {
  const log = createNodeLog({
    ...{ level: "info", format: "json" },
    outputs: [join(folder, "log")],
  });
  log.info("before");
  await log.close();
  log.warn("after");
  const text = readFileSync(join(folder, "log"), "utf8");
  assert.deepEqual([text.includes("before"), text.includes("after")], [true, false]);
});
