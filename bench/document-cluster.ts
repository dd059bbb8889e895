// What docs/benchmarks.md says of three members.
import type { Results } from "./document.ts";
import { short, table } from "./document-text.ts";
import type { Gaps } from "./gaps.ts";
import { benchLimits } from "./limits.ts";
import { median, quantile } from "./statistics.ts";

/** Milliseconds without an answer in a planned hand-over. */
const handOverGapMs = 100;
const p99RiseMax = 2;
const growthMiBMax = 300;
const mib = 1024 ** 2;

/** One row per goal: figure, both values, goal, reached, met. */
export function clusterGoalRows({ gaps, catchUp }: Results): string[][] {
  const rows = (gaps ?? []).map(gapRow);
  if (catchUp === undefined) return rows;
  const { etcd, quorate } = catchUp;
  const rise = (one: typeof etcd): number => one.p99DuringUs / one.p99BeforeUs;
  const growth = (one: typeof etcd): number =>
    Math.max(one.leaderGrowthBytes, one.memberGrowthBytes) / mib;
  rows.push([
    "Catch-up by snapshot: put p99 during / before",
    ...[short(rise(etcd)), short(rise(quorate)), `< ${p99RiseMax}`, short(rise(quorate))],
    rise(quorate) < p99RiseMax ? "yes" : "no",
  ]);
  rows.push([
    "Catch-up by snapshot: RssAnon growth of leader or member",
    ...[`${short(growth(etcd))} MiB`, `${short(growth(quorate))} MiB`, `<= ${growthMiBMax} MB`],
    `${short((growth(quorate) * mib) / 1e6)} MB`,
    growth(quorate) * mib <= growthMiBMax * 1e6 ? "yes" : "no",
  ]);
  return rows;
}

function gapRow({ name, etcd, quorate }: Gaps): string[] {
  const [theirs, ours] = [median(etcd), median(quorate)];
  const isPlanned = name !== "leader killed";
  const isMet = isPlanned ? ours <= handOverGapMs : ours <= theirs;
  return [
    `Longest gap, ${name}`,
    ...[`${short(theirs)} ms`, `${short(ours)} ms`],
    isPlanned ? `<= ${handOverGapMs} ms` : "<= 1.0",
    isPlanned ? `${short(ours)} ms` : (ours / theirs).toFixed(2),
    isMet ? "yes" : "no",
  ];
}

export function clusterParts({ gaps, catchUp }: Results): string[] {
  const parts: string[] = [];
  if (gaps !== undefined) {
    parts.push(
      "## Changes of leader",
      `Three members with default settings; the Go client knows all and begins a put every ` +
        `${benchLimits.gapPaceMs} ms. The longest time between two answers, in milliseconds: median ` +
        `and worst of ${gaps[0]?.quorate.length ?? 0} changes each.`,
      table(
        ["change", "etcd median", "etcd worst", "Quorate median", "Quorate worst"],
        gaps.map(({ name, etcd, quorate }) => [
          name,
          ...[etcd, quorate].flatMap((all) => [short(median(all)), short(quantile(all, 1))]),
        ]),
      ),
    );
  }
  if (catchUp === undefined) return parts;
  const { etcd, quorate } = catchUp;
  const row = (text: string, pick: (one: typeof etcd) => number): string[] => [
    text,
    ...[short(pick(etcd)), short(pick(quorate))],
  ];
  parts.push(
    "## A member catches up by snapshot",
    `A follower was away while ${quorate.keys.toLocaleString("en-US")} keys of ` +
      `${quorate.valueBytes.toLocaleString("en-US")} bytes were written, and comes back while ` +
      `${benchLimits.catchUpClients} clients put through the leader, one every ` +
      `${benchLimits.catchUpPaceMs} ms each. Growth is the most RssAnon above what the leader had ` +
      "under the same load, and above what the member had when it was empty.",
    table(
      ["figure", "Go etcd 3.7.1", "Quorate"],
      [
        row("start to caught up, s", (one) => one.seconds),
        row("put p99 before, ms", (one) => one.p99BeforeUs / 1_000),
        row("put p99 meanwhile, ms", (one) => one.p99DuringUs / 1_000),
        row("growth of the leader, MiB", (one) => one.leaderGrowthBytes / mib),
        row("growth of the member, MiB", (one) => one.memberGrowthBytes / mib),
      ],
    ),
  );
  return parts;
}
