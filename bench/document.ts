// docs/benchmarks.md, made from one run's results.
import { goals, type Goal } from "./cells.ts";
import type { CatchUp } from "./catch-up.ts";
import type { ClientCalls } from "./client-calls.ts";
import type { ClientWatches } from "./client-watch.ts";
import { clientParts } from "./document-client.ts";
import { clusterGoalRows, clusterParts } from "./document-cluster.ts";
import { short, table } from "./document-text.ts";
import type { CtlStart } from "./ctl-start.ts";
import type { Floor } from "./floor.ts";
import type { Gaps } from "./gaps.ts";
import { benchLimits } from "./limits.ts";
import type { Large } from "./large.ts";
import type { Compared } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { Profile } from "./profile.ts";
import type { Phase } from "./turns.ts";

export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly floor: Floor;
  readonly compared: readonly Compared[];
  readonly turns?:
    { readonly etcd: readonly Phase[]; readonly quorate: readonly Phase[] } | undefined;
  readonly profiles?: readonly Profile[] | undefined;
  readonly gaps?: readonly Gaps[] | undefined;
  readonly catchUp?: { readonly etcd: CatchUp; readonly quorate: CatchUp } | undefined;
  readonly clientCalls?: readonly ClientCalls[] | undefined;
  readonly clientWatches?: ClientWatches | undefined;
  readonly ctlStart?: CtlStart | undefined;
  readonly large?: { readonly etcd: Large; readonly quorate: Large } | undefined;
}

const rssGoal = 1;
const restartGoal = 0.3;

function goalRow(goal: Goal, compared: readonly Compared[]): string[] | undefined {
  const found = compared.find((one) => one.name === goal.of);
  if (found === undefined) return undefined;
  const [etcd, quorate] = [found.etcd[goal.figure], found.quorate[goal.figure]];
  const ratio = quorate / etcd;
  const isReached = goal.atMost === undefined ? ratio >= (goal.atLeast ?? 0) : ratio <= goal.atMost;
  const wanted = goal.atMost === undefined ? `>= ${goal.atLeast ?? 0}` : `<= ${goal.atMost}`;
  const unit = goal.figure === "cpuUs" ? " us" : "/s";
  return [
    `${goal.text} (${goal.of})`,
    `${short(etcd)}${unit}`,
    `${short(quorate)}${unit}`,
    wanted,
    ratio.toFixed(2),
    isReached ? "yes" : "no",
  ];
}

function largeGoalRows(large: NonNullable<Results["large"]>): string[][] {
  const { etcd, quorate } = large;
  const row = (text: string, a: number, b: number, goal: number, unit: string): string[] => {
    const ratio = b / a;
    return [
      text,
      `${short(a)} ${unit}`,
      `${short(b)} ${unit}`,
      `<= ${goal.toFixed(1)}`,
      ratio.toFixed(2),
      ratio <= goal ? "yes" : "no",
    ];
  };
  const mib = 1024 ** 2;
  const keys = quorate.keys.toLocaleString("en-US");
  return [
    row(`RSS at ${keys} keys`, etcd.rssBytes / mib, quorate.rssBytes / mib, rssGoal, "MiB"),
    row(`RssAnon at ${keys} keys`, etcd.anonBytes / mib, quorate.anonBytes / mib, rssGoal, "MiB"),
    row("Restart to ready", etcd.restartMs, quorate.restartMs, restartGoal, "ms"),
  ];
}

function largeTable(large: NonNullable<Results["large"]>): string {
  const { etcd, quorate } = large;
  const row = (text: string, pick: (one: Large) => number): string[] => [
    text,
    short(pick(etcd)),
    short(pick(quorate)),
  ];
  return table(
    ["figure", "Go etcd 3.7.1", "Quorate"],
    [
      row("fill, keys per second", (one) => one.fillPerSecond),
      row("RSS after the restart, MiB", (one) => one.rssAfterRestartBytes / 1024 ** 2),
      row("longest get while idle, ms", (one) => one.idleMaxUs / 1_000),
      row("longest get during compaction, ms", (one) => one.compactMaxUs / 1_000),
      row("longest get during defragment, ms", (one) => one.defragmentMaxUs / 1_000),
    ],
  );
}

function turnsTable(turns: NonNullable<Results["turns"]>): string {
  const put = (us: number | undefined): string =>
    us === undefined || us === 0 ? "-" : short(us / 1_000);
  const rows = turns.quorate.map((phase, i) => [
    phase.name,
    put(turns.etcd[i]?.longestPutUs),
    put(phase.longestPutUs),
    `<= ${short((phase.longestTurnSeconds ?? 0) * 1_000)}`,
    String(phase.longTurns),
  ]);
  const head = ["phase", "etcd: longest put, ms", "Quorate: longest put, ms"];
  return table([...head, "Quorate: longest turn, ms", "turns over 10 ms"], rows);
}

function turnsText(): string {
  const count = (n: number): string => n.toLocaleString("en-US");
  return (
    `${count(benchLimits.turnKeys)} keys in two revisions each, ${count(benchLimits.turnLeases)} ` +
    `leases, one client that puts every ${benchLimits.turnPaceMs} ms; then ` +
    `${count(benchLimits.expiringLeases)} more leases with a key each expire. Turns are counted by ` +
    "quorate_event_loop_turn_seconds, whose buckets bound the longest; a turn that loses its core " +
    "to another process, or makes a small durable write itself, is longer by that. The row of the " +
    "start holds all turns of a start with these leases, before the first client."
  );
}

function comparedTable(compared: readonly Compared[]): string {
  const rows = compared.map(({ name, unit, etcd, quorate }) => [
    name,
    unit,
    short(etcd.perSecond),
    short(quorate.perSecond),
    (quorate.perSecond / etcd.perSecond).toFixed(2),
    short(etcd.cpuUs),
    short(quorate.cpuUs),
    (quorate.cpuUs / etcd.cpuUs).toFixed(2),
    `${short(etcd.p50Us)} / ${short(etcd.p99Us)}`,
    `${short(quorate.p50Us)} / ${short(quorate.p99Us)}`,
  ]);
  const head = ["load", "unit", "etcd /s", "Quorate /s", "ratio", "etcd CPU us", "Quorate CPU us"];
  return table([...head, "ratio", "etcd p50 / p99 us", "Quorate p50 / p99 us"], rows);
}

/** @param notes what the figures alone do not say: bench/notes.md */
function profileParts(profiles: readonly Profile[]): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const rows = profiles.map(({ name, idleShare, top }) => [
    name,
    percent(idleShare),
    top.map((one) => `\`${one.name}\` ${percent(one.share)}`).join(", "),
  ]);
  return [
    "## Where the main thread spends its time",
    "V8's sampling profiler on Quorate's main thread under one load: idle as a part of all the time, " +
      "then functions by their own part of the rest.",
    table(["load", "idle", "functions"], rows),
  ];
}

export function renderDocument(results: Results, notes: string): string {
  const { machine, floor, compared, large, turns } = results;
  const goalRows = goals.map((goal) => goalRow(goal, compared)).filter((row) => row !== undefined);
  const parts = [
    "# Benchmarks",
    "Written by `npm run bench`; the raw figures are in bench/baseline.json. Every figure is compared " +
      "with Go etcd 3.7.1 in the same run on the same machine and disk, with synced writes on both " +
      "sides. Ratios are Quorate divided by Go etcd.",
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ` +
      `${machine.kernel}, Node ${machine.node}. ${results.rounds} interleaved rounds of ` +
      `${results.seconds} s per load; medians. The load generator runs on the same cores and costs ` +
      "about as much as a server, so throughput ratios stay below those of processor time.",
    "## Physical floor",
    `One durable 4 KiB write (O_DSYNC): ${short(floor.syncP50Us)} us median, ` +
      `${short(floor.syncP99Us)} us p99. One byte there and back over loopback: ` +
      `${short(floor.roundTripP50Us)} us median. A single client's put cannot be faster than one of ` +
      "each.",
    "## Goals",
    table(
      ["figure", "Go etcd 3.7.1", "Quorate", "goal", "reached", "met"],
      [
        ...goalRows,
        ...(large === undefined ? [] : largeGoalRows(large)),
        ...clusterGoalRows(results),
      ],
    ),
    "## All loads",
    "Load is operation, connections / clients. Processor time is that of the server process, all " +
      "threads, per operation: a call, an event at one of 1000 watchers, or a key of a 20,000-key range. " +
      "Loads named cluster are those of three members on this machine: the time is that of all three.",
    comparedTable(compared),
    ...(large === undefined
      ? []
      : [`## ${large.quorate.keys.toLocaleString("en-US")} keys`, largeTable(large)]),
    ...(turns === undefined ? [] : ["## Turns of the event loop", turnsText(), turnsTable(turns)]),
    ...clusterParts(results),
    ...clientParts(results),
    ...(results.profiles === undefined ? [] : profileParts(results.profiles)),
    notes.trimEnd(),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** What was measured now takes the place of what was stored; the rest stays. */
export function mergeResults(stored: Results, now: Results): Results {
  const names = new Set(now.compared.map(({ name }) => name));
  const kept = stored.compared.filter(({ name }) => !names.has(name));
  return {
    ...stored,
    compared: [...kept, ...now.compared],
    large: now.large ?? stored.large,
    turns: now.turns ?? stored.turns,
    profiles: now.profiles ?? stored.profiles,
    gaps: now.gaps ?? stored.gaps,
    catchUp: now.catchUp ?? stored.catchUp,
    clientCalls: now.clientCalls ?? stored.clientCalls,
    clientWatches: now.clientWatches ?? stored.clientWatches,
    ctlStart: now.ctlStart ?? stored.ctlStart,
  };
}
