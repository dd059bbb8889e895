/** `npm run check`: types, lint, format, tidy rules and the API reference. All run; the last line has the totals. */
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const checks: readonly (readonly [string, readonly string[]])[] = [
  ["types", ["node_modules/typescript/lib/tsc.js", "-p", "."]],
  ["lint", ["node_modules/eslint/bin/eslint.js", "--max-warnings=0", "."]],
  ["format", ["node_modules/prettier/bin/prettier.cjs", "--check", "--log-level=warn", "."]],
  ["tidy", ["tools/tidy.ts"]],
  ["api", ["tools/api-reference.ts", "--check"]],
];

let failed = 0;
for (const [name, command] of checks) {
  const startedAt = performance.now();
  const result = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (result.status !== 0) failed++;
  process.stdout.write(`${result.status === 0 ? "ok" : "FAILED"} ${name} (${seconds} s)\n`);
}
process.stdout.write(`${String(checks.length - failed)} passed, ${String(failed)} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
