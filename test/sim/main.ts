/** `npm run sim`: runs every simulation suite in this folder and gives its exit code. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

const suites = globSync("*.test.ts", { cwd: import.meta.dirname }).sort();
if (suites.length === 0) {
  process.stdout.write("No simulation suite exists yet: nothing was run.\n");
} else {
  process.stdout.write(`Simulation suites: ${suites.join(", ")}\n`);
  const result = spawnSync(
    process.execPath,
    ["--test", ...process.argv.slice(2), ...suites.map((s) => `${import.meta.dirname}/${s}`)],
    { stdio: "inherit" },
  );
  process.exitCode = result.status ?? 1;
}
