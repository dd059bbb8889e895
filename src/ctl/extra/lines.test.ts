import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileLines } from "./lines.ts";

const folder = mkdtempSync(join(tmpdir(), "ctl-lines-"));
after(() => {
  rmSync(folder, { recursive: true });
});

function read(text: string, from = 0): [string, number, boolean][] {
  const path = join(folder, "lines");
  writeFileSync(path, text);
  const file = openSync(path, "r");
  try {
    return [...fileLines(file, from)].map(({ text: t, end, isWhole }) => [t, end, isWhole]);
  } finally {
    closeSync(file);
  }
}

test("each line comes with the place behind it; the last one may be unfinished", () => {
  assert.deepEqual(read("ä\n\nb"), [
    ["ä", 3, true],
    ["", 4, true],
    ["b", 5, false],
  ]);
  assert.deepEqual(read("ä\n\nb\n", 3), [
    ["", 4, true],
    ["b", 6, true],
  ]);
  assert.deepEqual(read(""), []);
});

test("a line longer than one read is put together", () => {
  const long = "x".repeat(600_000);
  assert.deepEqual(read(`${long}\nend\n`), [
    [long, 600_001, true],
    ["end", 600_005, true],
  ]);
});
