import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkCycles, checkLayers } from "../tools/tidy-layers.ts";
import { parse } from "../tools/tidy-source.ts";
import { checkExports, checkFunctions, checkText, checkTree } from "../tools/tidy.ts";

test("the tree keeps the tidy rules", () => {
  assert.deepEqual(checkTree(join(import.meta.dirname, "..")), []);
});

test("a lower layer that imports a higher one is found", () => {
  const bad = parse("src/raft/log.ts", 'import { x } from "../server/server.ts";');
  assert.deepEqual(checkLayers([bad]), [
    "src/raft/log.ts: layer src/raft/ must not import src/server/server.ts",
  ]);
  const node = parse("src/raft/log.ts", 'import { readFile } from "node:fs";');
  assert.equal(checkLayers([node]).length, 1);
  const good = parse("src/raft/log.ts", 'import { assert } from "../base/assert.ts";');
  assert.deepEqual(checkLayers([good]), []);
});

test("only the entry files may meet both the server and the adapters", () => {
  const text = 'import { nodeClock } from "../io/node-clock.ts";';
  assert.equal(checkLayers([parse("src/server/node.ts", text)]).length, 1);
  assert.equal(checkLayers([parse("src/server/main.ts", text)]).length, 0);
});

test("a package is imported only by the files that stand for it", () => {
  const text = 'import { open } from "lmdb";';
  assert.equal(checkLayers([parse("src/server/mvcc/store.ts", text)]).length, 1);
  assert.deepEqual(checkLayers([parse("src/server/backend/lmdb-env.ts", text)]), []);
  assert.deepEqual(checkLayers([parse("test/backend/kill.test.ts", text)]), []);
});

test("an import cycle is found, one of types alone is not", () => {
  const a = parse("src/base/a.ts", 'import { b } from "./b.ts";');
  const b = parse("src/base/b.ts", 'import { a } from "./a.ts";');
  const typed = parse("src/base/b.ts", 'import type { a } from "./a.ts";');
  assert.equal(checkCycles([a, b]).length, 1);
  assert.deepEqual(checkCycles([a, typed]), []);
});

test("a long line, a long file and a banned word are found", () => {
  const word = "TO" + "DO";
  const text = `const x = 1; // ${"y ".repeat(60)}\n// ${word}\n${"\n".repeat(460)}`;
  assert.equal(checkText(parse("src/base/a.ts", text)).length, 3);
});

test("a function's own lines are counted without those of inner functions", () => {
  const inner = `const f = () => {\n${"x();\n".repeat(60)}};\n`;
  const outer = `function outer() {\n${inner}${"y();\n".repeat(60)}}\n`;
  assert.deepEqual(checkFunctions(parse("src/base/a.ts", outer)), []);
  const long = `function long() {\n${"y();\n".repeat(71)}}\n`;
  assert.equal(checkFunctions(parse("src/base/a.ts", long)).length, 1);
});

test("an export that only a test uses is dead unless it is marked", () => {
  const plain = parse("src/base/a.ts", "export function a() {}\nexport function b() {}");
  const marked = parse("src/base/c.ts", "/** @forTests */\nexport function c() {}");
  const user = parse("src/base/u.ts", 'import { b } from "./a.ts";');
  const tests = parse(
    "src/base/a.test.ts",
    'import { a } from "./a.ts";\nimport { c } from "./c.ts";',
  );
  assert.deepEqual(checkExports([plain, marked, user, tests]), [
    "src/base/a.ts:1: export a is imported by nobody",
  ]);
});
