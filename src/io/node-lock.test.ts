import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lockFile } from "./node-lock.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-lock-"));
after(() => {
  rmSync(root, { recursive: true });
});

test("a lock keeps others out until it is released, and leaves one empty private file", () => {
  const path = join(root, "a");
  const lock = lockFile(path);
  assert.ok(lock !== null);
  assert.equal(lockFile(path), null);
  assert.deepEqual(readdirSync(root), ["a"]);
  assert.equal(statSync(path).size, 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  lock.release();
  const again = lockFile(path);
  assert.ok(again !== null);
  again.release();
});

test("a lock of another process holds, and ends with kill -9", async (t) => {
  const path = join(root, "b");
  // Collecting garbage must not release a lock whose object was dropped.
  const code = `
    import { lockFile } from ${JSON.stringify(join(import.meta.dirname, "node-lock.ts"))};
    const isHeld = lockFile(${JSON.stringify(path)}) !== null;
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    console.log(isHeld);
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", code]);
  t.after(() => holder.kill("SIGKILL"));
  const [output] = (await once(holder.stdout, "data")) as [Uint8Array];
  assert.equal(new TextDecoder().decode(output).trim(), "true");
  assert.equal(lockFile(path), null);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const lock = lockFile(path);
  assert.ok(lock !== null);
  lock.release();
});
