// Runs what docs/client/*.md shows, page by page, as one program each.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { runCommand } from "../../conformance/command.ts";
import { lacks, Target } from "./target.ts";

const docs = fileURLToPath(new URL("../../../docs/client/", import.meta.url));
const entry = new URL("../../../src/client/index.ts", import.meta.url).href;
const pageTimeoutMs = 30_000;

const names = [
  ...["EtcdClient", "compare", "op", "FutureRevisionError", "namespace", "OrderingKv"],
  ...["LeasingKv", "MirrorSyncer", "KubernetesKv"],
  ...["Session", "Mutex", "RwMutex", "Election", "stm", "Queue", "PriorityQueue", "Barrier"],
  ...["DoubleBarrier", "ServiceRegistry", "registerGrpcResolver", "undiciDiscovery", "HotConfig"],
];

let target: Target;
let folder: string;
before(async () => {
  target = await Target.start();
  folder = mkdtempSync(join(tmpdir(), "quorate-docs-"));
});
after(async () => {
  rmSync(folder, { recursive: true });
  await target.close();
});

function programOf(page: string): string {
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gmsu)].map(([, code]) => `{\n${code!}}\n`);
  return [
    `import { ${names.join(", ")} } from ${JSON.stringify(entry)};\n`,
    `const client = new EtcdClient({ endpoints: ${JSON.stringify(target.endpoints)} });\n`,
    `const folder = ${JSON.stringify(folder)};\n`,
    ...blocks,
    "client.close();\n",
  ].join("");
}

for (const name of readdirSync(docs)) {
  const page = readFileSync(join(docs, name), "utf8");
  if (!page.includes("```ts\n")) continue;
  test(`${name} says what works`, { skip: name === "auth.md" && lacks("auth") }, async () => {
    const file = join(folder, name.replace(".md", ".ts"));
    writeFileSync(file, programOf(page));
    const { code, stderr } = await runCommand(process.execPath, [file], {
      timeoutMs: pageTimeoutMs,
    });
    assert.equal(code, 0, `${pathToFileURL(file).href}\n${stderr}`);
  });
}
