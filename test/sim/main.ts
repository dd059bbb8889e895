/**
 * `npm run sim`: whole clusters on simulated machines.
 *
 *   --seed N       the first seed (1)
 *   --seeds N      how many (20)
 *   --seconds S    simulated seconds of load under faults, per seed (30)
 *   --twice N      every N-th seed runs twice and must give the same trace (10; 0: none)
 *   --replay       prints the options and one line per event of the one seed
 *   --shrink       looks for the least that still fails
 *   --planted NAME plants a bug that must be caught; "all": each in turn; a number: so many of
 *                  them, others for every first seed
 *   --marks        prints how often every marked thing happened
 */
import { parseArgs } from "node:util";
import { faultNames } from "./world/options.ts";
import { plantedNames } from "./world/planted.ts";
import { optionsOf, runSeed, shrink, type RunRequest } from "./world/run.ts";
import type { Report } from "./world/world.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    seconds: { type: "string", default: "30" },
    twice: { type: "string", default: "10" },
    without: { type: "string", default: "" },
    replay: { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    marks: { type: "boolean", default: false },
    planted: { type: "string" },
  },
});

const first = Number(values.seed);
const count = Number(values.seeds ?? (values.replay || values.shrink ? 1 : 20));
const seconds = Number(values.seconds);
const without = new Set(faultNames.filter((name) => values.without.split(",").includes(name)));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Total {
  simulatedMs: number;
  operations: number;
  unknowns: number;
  failed: number;
}

function main(): number {
  if (values.planted === "all") return runAllPlanted(plantedNames);
  if (/^\d+$/.test(values.planted ?? "")) {
    const size = Number(values.planted);
    const from = (first * size) % plantedNames.length;
    const turned = [...plantedNames.slice(from), ...plantedNames.slice(0, from)];
    return runAllPlanted(turned.slice(0, size));
  }
  if (values.planted !== undefined) return runPlanted(values.planted) ? 0 : 1;
  return runSeeds();
}

function runSeeds(): number {
  const total: Total = { simulatedMs: 0, operations: 0, unknowns: 0, failed: 0 };
  const marks = new Map<string, number>();
  const began = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const request: RunRequest = { seed, seconds, without };
    const report = runSeed(values.replay ? { ...request, print: say } : request);
    add(total, report, marks);
    if (values.replay) say(optionsText(report));
    const every = Number(values.twice);
    if (every > 0 && seed % every === 0 && runSeed(request).hash !== report.hash) {
      total.failed++;
      say(`seed ${seed}: not deterministic`);
    }
    if (report.violations.length > 0) tellFailure(request, report);
  }
  const elapsed = performance.now() - began;
  const times = (total.simulatedMs / elapsed).toFixed(0);
  const hours = (total.simulatedMs / 3.6e6).toFixed(2);
  say(
    `${count} seeds, ${hours} cluster-hours, ${total.operations} operations, ${times}x real time`,
  );
  say(`${total.failed} failed, ${total.unknowns} histories not decided`);
  if (values.marks)
    for (const [name, n] of [...marks].sort()) say(`${String(n).padStart(8)} ${name}`);
  return total.failed === 0 ? 0 : 1;
}

function add(total: Total, { counts, violations, marks }: Report, all: Map<string, number>): void {
  total.simulatedMs += counts.simulatedMs;
  total.operations += counts.operations;
  total.unknowns += marks.get("check.linearizable-unknown") ?? 0;
  if (violations.length > 0) total.failed++;
  for (const [name, n] of marks) all.set(name, (all.get(name) ?? 0) + n);
}

function tellFailure(request: RunRequest, report: Report): void {
  say(`seed ${request.seed} failed (--seed ${request.seed} --seconds ${request.seconds})`);
  for (const text of report.violations.slice(0, shownMax)) say(`  ${text}`);
  if (!values.shrink) return;
  const least = shrink(request, say);
  const off = [...(least.without ?? [])].join(",");
  say(`least: --seed ${least.seed} --seconds ${least.seconds} --without ${off}`);
  for (const text of runSeed(least).violations.slice(0, shownMax)) say(`  ${text}`);
}

const shownMax = 5;

/** True if some seed catches it. */
function runPlanted(planted: string): boolean {
  for (let seed = first; seed < first + count; seed++) {
    const { violations } = runSeed({ seed, seconds, planted });
    if (violations.length === 0) continue;
    const text = violations[0]!.split("\n")[0]!.slice(0, 120);
    say(`${planted}: caught by seed ${seed} (of ${seed - first + 1}): ${text}`);
    return true;
  }
  say(`${planted}: not caught by ${count} seeds`);
  return false;
}

function runAllPlanted(names: readonly string[]): number {
  const missed = names.filter((name) => !runPlanted(name));
  say(`${names.length - missed.length} of ${names.length} planted bugs caught`);
  return missed.length === 0 ? 0 : 1;
}

function optionsText(report: Report): string {
  const { faults, ...rest } = optionsOf({ seed: report.options.seed, seconds, without });
  return `${JSON.stringify(rest)} faults ${[...faults].join(",")} trace ${report.hash}`;
}

process.exitCode = main();
