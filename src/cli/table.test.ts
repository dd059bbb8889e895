import assert from "node:assert/strict";
import { test } from "node:test";
import { humanBytes } from "./humanize.ts";
import { renderTable } from "./table.ts";

test("a table has capital headers in the middle and cells to the right", () => {
  const rows = [
    ["8e9e05c52164694d", "started", "n1", "http://127.0.0.1:12380"],
    ["1", "unstarted", "", "x"],
  ];
  assert.equal(
    renderTable(["ID", "Status", "Name", "Peer Addrs"], rows),
    [
      "┌──────────────────┬───────────┬──────┬────────────────────────┐",
      "│        ID        │  STATUS   │ NAME │       PEER ADDRS       │",
      "├──────────────────┼───────────┼──────┼────────────────────────┤",
      "│ 8e9e05c52164694d │   started │   n1 │ http://127.0.0.1:12380 │",
      "│                1 │ unstarted │      │                      x │",
      "└──────────────────┴───────────┴──────┴────────────────────────┘",
      "",
    ].join("\n"),
  );
});

test("wide letters take two columns", () => {
  assert.match(renderTable(["k"], [["世界"], ["ab"]]), /│ {2}K {3}│\n├─{6}┤\n│ 世界 │\n│ {3}ab │/);
});

test("sizes are told in powers of a thousand", () => {
  const sizes = [0, 9, 10, 999, 1000, 9_949, 9_950, 12_500, 20_480, 1_000_000, 2_147_483_648];
  assert.deepEqual(sizes.map(humanBytes), [
    "0 B",
    "9 B",
    "10 B",
    "999 B",
    "1.0 kB",
    "9.9 kB",
    "10 kB",
    "12 kB",
    "20 kB",
    "1.0 MB",
    "2.1 GB",
  ]);
});
