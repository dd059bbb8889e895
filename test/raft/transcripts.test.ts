// Runs src/raft/testdata/cluster/*.txt: a command, "----", the full expected output, an empty line.
// With REWRITE=1 the outputs are written anew; commit such a change only if you can explain each
// line of it by what raft demands.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { TranscriptSession } from "./transcript-session.ts";

const directory = `${import.meta.dirname}/../../src/raft/testdata/cluster`;

for (const file of readdirSync(directory).sort()) {
  test(`transcript ${file}`, () => {
    const session = new TranscriptSession();
    const content = readFileSync(`${directory}/${file}`, "utf8");
    const blocks = content.trimEnd().split(/\n\n+/);
    const actual = blocks.map((block) => {
      const head = block.split("\n----")[0]!;
      const line = head.split("\n").find((one) => !one.startsWith("#"));
      return line === undefined ? head : `${head}\n----\n${session.run(line)}`;
    });
    if (process.env["REWRITE"] === "1") {
      writeFileSync(`${directory}/${file}`, `${actual.join("\n\n")}\n`);
    } else assert.equal(`${actual.join("\n\n")}\n`, content);
  });
}
