// Whole clusters of real processes under faults: node test/e2e/robustness/run.ts
//   [--runs N] [--seed S] [--fault NAME] [--members N] [--seconds S] [--program FILE]
// Without --fault: the list below, one after the other, again and again. Run i has seed S + i.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { faults } from "./faults.ts";
import { runScenario, type RunOptions, type RunResult } from "./scenario.ts";

/** The first eight are what CI runs. */
const plan: readonly { readonly fault: string; readonly members: number }[] = [
  { fault: "kill", members: 3 },
  { fault: "stop", members: 3 },
  { fault: "partition", members: 5 },
  { fault: "one-way", members: 3 },
  { fault: "replace", members: 3 },
  { fault: "snapshot", members: 3 },
  { fault: "mixed", members: 5 },
  { fault: "move", members: 3 },
  { fault: "disk-full", members: 3 },
  { fault: "loss", members: 3 },
  { fault: "delay", members: 3 },
  { fault: "partition", members: 3 },
  { fault: "kill", members: 5 },
  { fault: "stop", members: 5 },
  { fault: "replace", members: 5 },
  { fault: "mixed", members: 3 },
];

const shownMax = 12;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function replayOf({ fault, members, seed, seconds, program }: RunOptions): string {
  const what = `--fault ${fault} --members ${members} --seed ${seed} --seconds ${seconds}`;
  return `npm run robustness -- --runs 1 ${what}${program === undefined ? "" : ` --program ${program}`}`;
}

/** Everything that a look at the failure needs; the folder. */
function keep(options: RunOptions, { found, story, folders, workload }: RunResult): string {
  const folder = mkdtempSync(join(tmpdir(), `quorate-robustness-${options.seed}-`));
  const lines = [...found, "", ...story, "", ...folders];
  writeFileSync(join(folder, "report.txt"), `${lines.join("\n")}\n`);
  if (workload === undefined) return folder;
  const { recorder, appends, truth } = workload;
  const { watches, leases } = recorder;
  const operations = recorder.possible();
  const history = { operations, watches, leases, appends, changes: truth.changes() };
  writeFileSync(join(folder, "history.json"), JSON.stringify(history));
  return folder;
}

let killed = 0;

async function runOne(options: RunOptions): Promise<"passed" | "failed" | "skipped"> {
  const begin = performance.now();
  const title = `${options.fault}, ${options.members} members, seed ${options.seed}`;
  try {
    const result = await runScenario(options);
    const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
    if (result.skipped !== undefined) {
      say(`skipped ${title}: ${result.skipped}`);
      return "skipped";
    }
    killed += result.killed;
    const isGood = result.found.length === 0;
    say(`${isGood ? "ok" : "FAILED"} ${title} (${seconds} s): ${result.summary}`);
    if (isGood) return "passed";
    for (const text of result.found.slice(0, shownMax)) say(`  ${text}`);
    for (const text of result.story) say(`  | ${text}`);
    say(`  kept: ${keep(options, result)} ${result.folders.join(" ")}`);
  } catch (error) {
    say(`FAILED ${title}: ${error instanceof Error ? String(error.stack) : String(error)}`);
  }
  say(`  again: ${replayOf(options)}`);
  return "failed";
}

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "15" },
    members: { type: "string" },
    fault: { type: "string" },
    program: { type: "string" },
  },
});
if (values.fault !== undefined && faults[values.fault] === undefined) {
  throw new Error(`no fault ${values.fault}; there are ${Object.keys(faults).join(", ")}`);
}
const results = { passed: 0, failed: 0, skipped: 0 };
for (let i = 0; i < Number(values.runs); i++) {
  const planned = plan[i % plan.length] ?? { fault: "kill", members: 3 };
  const isPlanned = values.fault === undefined;
  const members = values.members ?? String(isPlanned ? planned.members : 3);
  const outcome = await runOne({
    fault: values.fault ?? planned.fault,
    members: Number(members),
    seed: Number(values.seed) + i,
    seconds: Number(values.seconds),
    ...(values.program === undefined ? {} : { program: values.program }),
  });
  results[outcome]++;
}
say(`${killed} processes were killed`);
if (results.skipped > 0) say(`${results.skipped} skipped`);
say(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed === 0 ? 0 : 1;
