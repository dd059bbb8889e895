import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createNodeLog } from "../../src/io/node-log.ts";

/** Reads the pipe to its end once the flag is set, or when that is too late: then it says so. */
const drain = `
  const { workerData: { fd, flag } } = require("node:worker_threads");
  const { readSync } = require("node:fs");
  if (Atomics.wait(flag, 0, 0, 4000) === "timed-out") Atomics.store(flag, 1, 1);
  const bytes = Buffer.alloc(1 << 16);
  while (Atomics.load(flag, 2) === 0) {
    try { readSync(fd, bytes); } catch { Atomics.wait(flag, 2, 0, 5); }
  }
`;

// That health covers reads is held by src/server/http/handlers.test.ts.
// Seen to fail with `sync: true` in node-log.ts: the server waits for who reads its log.
test("etcd 22214 (row 31): a log that nobody reads never holds the server up", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-regress-"));
  const path = join(directory, "log");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const flag = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(drain, { eval: true, workerData: { fd: reader, flag } });
  t.after(async () => {
    Atomics.store(flag, 2, 1);
    await new Promise((resolve) => worker.once("exit", resolve));
    closeSync(reader);
    rmSync(directory, { recursive: true });
  });
  const log = createNodeLog({ level: "info", format: "json", outputs: [path] });
  const text = "x".repeat(1000);
  // More than pipe and buffer hold together: lines are dropped.
  for (let i = 0; i < 20_000; i++) log.info("line", { text });
  const turns = await new Promise((resolve) => setImmediate(resolve, "taken"));
  assert.equal(turns, "taken");
  assert.equal(Atomics.load(flag, 1), 0, "the log waited for its reader");
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  await log.close();
});
