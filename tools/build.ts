/** Builds dist/: compiled JavaScript that any Node of the engines line runs. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist");

rmSync(out, { recursive: true, force: true });
const compiled = spawnSync(
  process.execPath,
  [join(root, "node_modules/typescript/lib/tsc.js"), "-p", join(root, "tsconfig.build.json")],
  { stdio: "inherit", cwd: root },
);
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// The compiler leaves alone what is JavaScript already: the generated messages.
cpSync(join(root, "src"), out, {
  recursive: true,
  filter: (source) => !/\.ts$|\/testdata(\/|$)/.test(source) || source.endsWith(".d.ts"),
});
const entry = join(out, "main.js");
if (existsSync(entry)) chmodSync(entry, 0o755);
process.stdout.write("dist/ is built\n");
