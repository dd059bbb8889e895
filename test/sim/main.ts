/**
 * `npm run sim`: whole clusters on simulated machines.
 *
 *   --seed N       the first seed (1)
 *   --seeds N      how many (20)
 *   --seconds S    simulated seconds of load under faults, per seed (30)
 *   --jobs N       processes that share the seeds (2)
 *   --twice N      every N-th seed runs twice and must give the same trace (10; 0: none)
 *   --without A,B  faults that are off whatever the seed says
 *   --replay       prints the options and one line per event of the one seed
 *   --shrink       looks for the least that still fails
 *   --planted NAME plants a bug that must be caught; "all": each in turn; a number: so many of
 *                  them, others for every first seed of --turn
 *   --table        prints each planted bug as a row of a table: name, seeds needed, what caught it
 *   --turn N       which of the planted bugs are in turn (the first seed)
 *   --marks        prints how often every marked thing happened
 *
 * The last line is "N passed, N failed".
 */
import { parseArgs } from "node:util";
import { runJobs, serveTasks, type TaskResult } from "./jobs.ts";
import { faultNames } from "./world/options.ts";
import { plantedNames } from "./world/planted.ts";
import { optionsOf, runSeed, shrink, type RunRequest } from "./world/run.ts";
import type { Report } from "./world/world.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    seconds: { type: "string", default: "30" },
    jobs: { type: "string", default: "2" },
    twice: { type: "string", default: "10" },
    without: { type: "string", default: "" },
    replay: { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    marks: { type: "boolean", default: false },
    planted: { type: "string" },
    turn: { type: "string" },
    table: { type: "boolean", default: false },
  },
});

const first = Number(values.seed);
const count = Number(values.seeds ?? (values.replay || values.shrink ? 1 : 20));
const seconds = Number(values.seconds);
const without = new Set(faultNames.filter((name) => values.without.split(",").includes(name)));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Most wall-clock time of a seed: a busy machine simulates slower than real time. */
const seedMsMax = 60_000 + seconds * 2 * 1000;
const shownMax = 5;

async function main(): Promise<number> {
  const tasks = taskNames();
  let passed = 0;
  const sums = new Map<string, number>();
  const took = (_task: string, result: TaskResult): void => {
    if (result.isPassed) passed++;
    for (const line of result.lines) say(line);
    for (const [name, n] of Object.entries(result.sums)) sums.set(name, (sums.get(name) ?? 0) + n);
  };
  const began = performance.now();
  const isAlone = values.replay || values.shrink || tasks.length === 1;
  if (isAlone) for (const task of tasks) took(task, runTask(task));
  else {
    const program = import.meta.filename;
    const taskMsMax = values.planted === undefined ? seedMsMax : seedMsMax * count;
    const jobs = Math.max(1, Number(values.jobs));
    await runJobs({ program, args: process.argv.slice(2), jobs, taskMsMax }, tasks, took);
  }
  tellSums(sums, performance.now() - began);
  say(`${passed} passed, ${tasks.length - passed} failed`);
  return passed === tasks.length ? 0 : 1;
}

/** A task is a seed or the name of a planted bug. */
function taskNames(): readonly string[] {
  const { planted } = values;
  if (planted === undefined) return Array.from({ length: count }, (_, i) => `seed ${first + i}`);
  if (planted === "all") return plantedNames;
  if (!/^\d+$/.test(planted)) return [planted];
  const size = Number(planted);
  const from = (Number(values.turn ?? first) * size) % plantedNames.length;
  return [...plantedNames.slice(from), ...plantedNames.slice(0, from)].slice(0, size);
}

function runTask(task: string): TaskResult {
  return task.startsWith("seed ") ? runOneSeed(Number(task.slice(5))) : runPlanted(task);
}

function runOneSeed(seed: number): TaskResult {
  const lines: string[] = [];
  const request: RunRequest = { seed, seconds, without };
  const report = runSeed(values.replay ? { ...request, print: say } : request);
  if (values.replay) lines.push(optionsText(report));
  const every = Number(values.twice);
  const isTwice = every > 0 && seed % every === 0;
  const isEqual = !isTwice || runSeed(request).hash === report.hash;
  if (!isEqual) lines.push(`seed ${seed}: not deterministic`);
  const isSound = report.violations.length === 0;
  if (!isSound) tellFailure(request, report, lines);
  const { simulatedMs, operations } = report.counts;
  const sums: Record<string, number> = { simulatedMs, operations };
  for (const [name, n] of report.marks) sums[`mark ${name}`] = n;
  return { isPassed: isSound && isEqual, lines, sums };
}

function tellFailure(request: RunRequest, report: Report, lines: string[]): void {
  lines.push(`seed ${request.seed} failed (--seed ${request.seed} --seconds ${request.seconds})`);
  for (const text of report.violations.slice(0, shownMax)) lines.push(`  ${text}`);
  if (!values.shrink) return;
  const least = shrink(request, say);
  const off = [...(least.without ?? [])].join(",");
  lines.push(`least: --seed ${least.seed} --seconds ${least.seconds} --without ${off}`);
  for (const text of runSeed(least).violations.slice(0, shownMax)) lines.push(`  ${text}`);
}

/** Passes if some seed catches it. */
function runPlanted(planted: string): TaskResult {
  for (let seed = first; seed < first + count; seed++) {
    const { violations } = runSeed({ seed, seconds, without, planted });
    if (violations.length === 0) continue;
    const text = violations[0]!.split("\n")[0]!;
    return { isPassed: true, lines: [caughtText(planted, seed, text)], sums: {} };
  }
  return { isPassed: false, lines: [`${planted}: not caught by ${count} seeds`], sums: {} };
}

function caughtText(planted: string, seed: number, text: string): string {
  if (!values.table) {
    return `${planted}: caught by seed ${seed} (of ${seed - first + 1}): ${text.slice(0, 120)}`;
  }
  // Without what only says where: paths, and the operations of a history.
  const what = text.replace(/"[^"]*"|:? [a-z]\d+ \[.*/g, "").replaceAll("|", "/");
  return `| ${planted} | ${seed} | ${what.slice(0, 90).trimEnd()} |`;
}

function tellSums(sums: ReadonlyMap<string, number>, elapsedMs: number): void {
  const simulatedMs = sums.get("simulatedMs");
  if (simulatedMs === undefined) return;
  const times = (simulatedMs / elapsedMs).toFixed(0);
  const hours = (simulatedMs / 3.6e6).toFixed(2);
  const unknowns = sums.get("mark check.linearizable-unknown") ?? 0;
  say(
    `${hours} cluster-hours, ${sums.get("operations") ?? 0} operations, ${times}x real time, ` +
      `${unknowns} histories not decided`,
  );
  if (!values.marks) return;
  for (const [name, n] of [...sums].sort()) {
    if (name.startsWith("mark ")) say(`${String(n).padStart(8)} ${name.slice(5)}`);
  }
}

function optionsText(report: Report): string {
  const { faults, ...rest } = optionsOf({ seed: report.options.seed, seconds, without });
  return `${JSON.stringify(rest)} faults ${[...faults].join(",")} trace ${report.hash}`;
}

if (process.send === undefined) process.exitCode = await main();
else serveTasks(runTask);
