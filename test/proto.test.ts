import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { generate, genFolder } from "../tools/proto.ts";

const readAll = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );

test("src/gen is what the messages of proto/ generate", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-proto-"));
  try {
    generate(join(folder, "gen"));
    const generated = readAll(join(folder, "gen"));
    assert.ok("rpc_pb.js" in generated && "rpc_pb.d.ts" in generated);
    assert.deepEqual(readAll(genFolder), generated, "run npm run proto");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
