import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const here = import.meta.dirname;
const root = join(here, "../..");
const rowsMax = 59;

interface Row {
  readonly number: number;
  readonly tests: string;
  readonly rule: string;
  readonly seen: string;
}

function readRows(): Row[] {
  const lines = readFileSync(join(here, "README.md"), "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, number, , tests, rule, seen] = line.split("|").map((cell) => cell.trim());
    if (!/^\d+$/.test(number ?? "")) return [];
    return [{ number: Number(number), tests: tests!, rule: rule!, seen: seen! }];
  });
}

const pathOf = (name: string): string => join(name.includes("/") ? root : here, name);

/** Files in backquotes, each with the title in quotes behind it, if one is there. */
function testsOf(row: Row): { readonly file: string; readonly title: string }[] {
  const found = row.tests.matchAll(/`([^`]+)`(?: "([^"]+)")?/g);
  return [...found].map(([, file, title]) => ({ file: file!, title: title ?? "" }));
}

test("the table has every row once, with tests or the reason why there is none", () => {
  const rows = readRows();
  const numbers = Array.from({ length: rowsMax }, (_, i) => i + 1);
  assert.deepEqual(
    rows.map(({ number }) => number),
    numbers,
  );
  for (const row of rows) {
    if (/^(Later: |Not applicable, because )\w/.test(row.tests)) continue;
    assert.ok(testsOf(row).length > 0, `row ${row.number} has no test`);
    assert.ok(row.rule.length > 0 && row.seen.length > 0, `row ${row.number} is not filled in`);
  }
});

test("the tests that the table names exist under these titles", () => {
  for (const row of readRows()) {
    for (const { file, title } of testsOf(row)) {
      assert.ok(existsSync(pathOf(file)), `row ${row.number}: there is no ${file}`);
      const text = readFileSync(pathOf(file), "utf8");
      assert.ok(text.includes(title), `row ${row.number}: ${file} has no "${title}"`);
      if (file.includes("/")) continue;
      assert.match(text, new RegExp(`\\(row ${row.number}\\)`), `${file} has no row in its title`);
      assert.match(text, /Seen to fail/, `${file} does not say how it was seen to fail`);
    }
  }
});

test("every test of this folder is in the table, under the row of its title", () => {
  const rows = readRows();
  const own = import.meta.filename.slice(here.length + 1);
  for (const file of readdirSync(here)) {
    if (!file.endsWith(".test.ts") || file === own) continue;
    const titles = readFileSync(join(here, file), "utf8").matchAll(/test\(\s*["`](.*?)["`],/g);
    for (const [, title] of titles) {
      const number = Number(/\(row (\d+)\)/.exec(title!)?.[1]);
      const row = rows.find((one) => one.number === number);
      assert.ok(row !== undefined, `${file}: "${title}" has no row`);
      assert.ok(
        testsOf(row).some((one) => one.file === file),
        `row ${number} does not name ${file}`,
      );
    }
  }
});
