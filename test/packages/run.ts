/**
 * `npm run packages`: makes both npm packages (packages/*.tgz) and tries each in an empty project:
 * installed, imported, required, type-checked, and the server started by its command. Needs npm's
 * registry. The last line is "N passed, N failed".
 */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

import { makePackages, type Package } from "../../tools/packages.ts";
import { startServer } from "../conformance/servers.ts";

const root = join(import.meta.dirname, "../..");
const installMsMax = 240_000;
const runMsMax = 60_000;
/** Programs of an installed package find the Node that runs this one. */
const env = {
  ...process.env,
  PATH: [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
};

let passed = 0;
let failed = 0;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function check(text: string, isGood: boolean, detail = ""): void {
  if (isGood) passed++;
  else failed++;
  say(`${isGood ? "ok" : "FAILED"} ${text}${isGood || detail === "" ? "" : `\n${detail}`}`);
}

function run(folder: string, command: string, args: readonly string[]): SpawnSyncReturns<string> {
  const timeout = command === "npm" ? installMsMax : runMsMax;
  return spawnSync(command, args, { cwd: folder, encoding: "utf8", timeout, env });
}

/** An empty project with the package installed. */
function install({ name, tarball }: Package): string {
  const folder = mkdtempSync(join(tmpdir(), "quorate-package-"));
  writeFileSync(join(folder, "package.json"), `{"name":"empty","private":true}\n`);
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", tarball];
  const installed = run(folder, "npm", args);
  check(`${name}: npm install`, installed.status === 0, installed.stderr);
  return folder;
}

/** What the small programs do with the client. */
const useText = `
  const client = new EtcdClient({ endpoints: [process.argv[2] ?? ""] });
  await client.kv.put("greeting", "hello");
  const { kvs } = await client.kv.get("greeting");
  console.log(kvs[0]?.string());
  await client.close();`;

function tryClient(folder: string, from: string, endpoint: string): void {
  const files: readonly (readonly [string, string])[] = [
    ["use.mjs", `import { EtcdClient } from "${from}";${useText}\n`],
    ["use.cjs", `const { EtcdClient } = require("${from}");\n(async () => {${useText}\n})();\n`],
  ];
  for (const [name, text] of files) {
    writeFileSync(join(folder, name), text);
    const ran = run(folder, process.execPath, [name, endpoint]);
    check(`${from}: ${name} puts, gets and ends`, ran.stdout.trim() === "hello", ran.stderr);
  }
}

function tryTypes(folder: string, from: string): void {
  const lines = [
    `import { EtcdClient } from "${from}";`,
    `const client = new EtcdClient({ endpoints: ["127.0.0.1:1"] });`,
    `const text: Promise<string | undefined> =`,
    `  client.kv.get("k").then((got) => got.kvs[0]?.string());`,
    `// @ts-expect-error a revision is a number`,
    `void client.kv.get("k", { revision: "1" });`,
    `void text;`,
  ];
  for (const name of ["types.mts", "types.cts"]) {
    writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
    const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"];
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const tsc = join(root, "node_modules/typescript/lib/tsc.js");
    const ran = run(folder, process.execPath, [tsc, ...flags, ...types, name]);
    check(`${from}: ${name} has types`, ran.status === 0, ran.stdout);
  }
}

async function main(): Promise<void> {
  const packages = makePackages(join(root, "packages"));
  for (const { name, bytes, unpackedBytes } of packages) {
    const kib = (count: number): string => `${Math.ceil(count / 1024)} KiB`;
    say(`${name}: ${kib(bytes)} packed, ${kib(unpackedBytes)} unpacked`);
  }
  const folders = packages.map(install);
  const [serverFolder = "", clientFolder = ""] = folders;
  try {
    const version = run(serverFolder, "npx", ["--no-install", "quorate", "--version"]);
    check(
      "quorate: npx quorate --version",
      version.stdout.includes("etcd Version"),
      version.stderr,
    );
    const program = join(serverFolder, "node_modules/.bin/quorate");
    const server = await startServer({ label: "installed", program, flags: [], env });
    try {
      tryClient(serverFolder, "quorate/client", server.endpoint);
      tryClient(clientFolder, "quorate-client", server.endpoint);
    } finally {
      await server.close();
    }
    tryTypes(serverFolder, "quorate/client");
    tryTypes(clientFolder, "quorate-client");
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

await main();
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
