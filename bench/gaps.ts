// How long a client of three members goes without an answer when leadership changes.
//
// GA1  The client is etcd's Go client with all endpoints: it begins a put every few milliseconds
//      whether earlier ones were answered or not, so one call that waits for its own timeout does
//      not pass for a cluster that stands still.
// GA2  Both clusters take turns, one change each, and are whole again before the next.
import { setTimeout as delay } from "node:timers/promises";

import { runCommand } from "../test/conformance/command.ts";
import type { ClusterMember, TestCluster } from "../test/e2e/cluster.ts";
import {
  findLeader,
  followersOf,
  moveLeader,
  startCluster,
  type ClusterBench,
  type Kind,
} from "./cluster.ts";
import { benchLimits } from "./limits.ts";
import type { Measured } from "./load.ts";

export interface Gaps {
  readonly name: string;
  /** The longest gap of each change, in milliseconds. */
  readonly etcd: readonly number[];
  readonly quorate: readonly number[];
}

interface Change {
  readonly name: string;
  readonly run: (
    bench: ClusterBench,
    leader: ClusterMember,
    follower: ClusterMember,
  ) => Promise<unknown>;
}

const changes: readonly Change[] = [
  { name: "leader killed", run: (_bench, leader) => leader.end("SIGKILL") },
  { name: "leader ends by SIGTERM", run: (_bench, leader) => leader.end("SIGTERM") },
  { name: "MoveLeader", run: moveLeader },
];

/** @param count of each change and cluster */
export async function measureGaps(bench: ClusterBench, count: number): Promise<Gaps[]> {
  const clusters = new Map<Kind, TestCluster>();
  try {
    for (const kind of ["etcd", "quorate"] as const) {
      clusters.set(kind, await startCluster(bench, kind));
    }
    const results: Gaps[] = [];
    for (const change of changes) {
      const gaps: Record<Kind, number[]> = { etcd: [], quorate: [] };
      for (let i = 0; i < count; i++) {
        for (const [kind, cluster] of clusters) {
          gaps[kind].push(await measureGap(bench, cluster, change)); // GA2
        }
      }
      results.push({ name: change.name, ...gaps });
      process.stdout.write(`${JSON.stringify(results.at(-1))}\n`);
    }
    return results;
  } finally {
    for (const cluster of clusters.values()) await cluster.close();
  }
}

/** In milliseconds. */
async function measureGap(
  bench: ClusterBench,
  cluster: TestCluster,
  change: Change,
): Promise<number> {
  const leader = await findLeader(cluster);
  const follower = followersOf(cluster, leader)[0]!;
  const args = ["--endpoint", cluster.endpoints.join(","), "--op", "gap"];
  args.push("--pace", `${benchLimits.gapPaceMs}ms`, "--seconds", `${benchLimits.gapSecondsMax}`);
  const under: { way: Promise<unknown> | null } = { way: null };
  const result = await runCommand(bench.programs.loadgen, args, {
    onStdout: (_soFar, end) => {
      under.way ??= delay(benchLimits.gapSettleMs)
        .then(() => change.run(bench, leader, follower))
        .then(() => findLeader(cluster))
        .then(() => delay(benchLimits.gapSettleMs))
        .finally(() => {
          end("SIGTERM");
        });
      // Awaited below; a failure must not count as unhandled until then.
      under.way.catch(() => undefined);
    },
  });
  await under.way;
  if (!leader.isRunning) await leader.start();
  const line = result.stdout.trim().split("\n").at(-1) ?? "";
  if (result.code !== 0) throw new Error(`loadgen ${args.join(" ")}: ${result.stderr}`);
  return (JSON.parse(line) as Measured).maxUs / 1_000;
}
