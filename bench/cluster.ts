// Clusters of three on this machine: throughput and processor time, the gaps that clients see when
// leadership changes, and a member that catches up by snapshot.
//
// BC1  Both clusters run the whole time and take turns; what stands idle costs its heartbeats.
// BC2  The leader is looked up before each measurement: a busy machine may move it.
// BC3  Each cluster is warmed up over every member first (BEN2).
import { setTimeout as delay } from "node:timers/promises";

import type { Programs } from "../test/conformance/build.ts";
import { runCommand } from "../test/conformance/command.ts";
import { type ClusterMember, TestCluster } from "../test/e2e/cluster.ts";
import { benchLimits } from "./limits.ts";
import { runLoad, type Compared, type LoadTarget, type Measured } from "./load.ts";
import { readMetrics } from "./metrics.ts";
import { compared } from "./statistics.ts";

export type Kind = "etcd" | "quorate";

export interface ClusterBench {
  readonly programs: Programs;
  /** Quorate's program, or Go etcd's to see the noise. */
  readonly quorate: string;
  readonly rounds: number;
  readonly seconds: number;
}

const names = ["a", "b", "c"];
const commonFlags = ["--log-level", "warn", "--quota-backend-bytes", String(8 * 1024 ** 3)];

export function startCluster(
  bench: ClusterBench,
  kind: Kind,
  flags: readonly string[] = [],
): Promise<TestCluster> {
  const program = kind === "etcd" ? bench.programs.etcd : bench.quorate;
  return TestCluster.start({
    members: names.map((name) => ({ name: `bench-${kind}-${name}`, program })),
    flags: [...commonFlags, ...flags],
    token: kind,
  });
}

/** Waits until every member that runs knows a leader and one of them is it. */
export async function findLeader(cluster: TestCluster): Promise<ClusterMember> {
  const end = performance.now() + benchLimits.leaderTimeoutMs;
  while (performance.now() < end) {
    const running = cluster.members.filter((member) => member.isRunning);
    const pages = await Promise.all(
      running.map((member) => readMetrics(member).catch(() => new Map<string, number>())),
    );
    const leaders = running.filter((_, i) => pages[i]?.get("etcd_server_is_leader") === 1);
    const isKnown = pages.every((page) => page.get("etcd_server_has_leader") === 1);
    if (isKnown && leaders.length === 1) return leaders[0]!;
    await delay(benchLimits.leaderPollMs);
  }
  throw new Error("the cluster has no leader");
}

export function followersOf(cluster: TestCluster, leader: ClusterMember): ClusterMember[] {
  return cluster.members.filter((member) => member !== leader);
}

/** All endpoints given, all processes counted. */
function target(cluster: TestCluster, at: readonly ClusterMember[]): LoadTarget {
  return {
    label: cluster.members[0]?.name ?? "",
    endpoint: at.map((member) => member.endpoint).join(","),
    pid: cluster.members.map((member) => member.pid).join(","),
  };
}

interface ClusterCell {
  readonly name: string;
  readonly op: string;
  readonly through: "leader" | "follower" | "all";
}

const clusterCells: readonly ClusterCell[] = [
  { name: "cluster put, leader", op: "put", through: "leader" },
  { name: "cluster put, all members", op: "put", through: "all" },
  { name: "cluster get, follower", op: "get", through: "follower" },
  { name: "cluster get, all members", op: "get", through: "all" },
];

/** At 100 connections and 1000 clients, ABAB (BC1). */
export async function measureClusterLoads(bench: ClusterBench): Promise<Compared[]> {
  const shape = { conns: 100, clients: 1000 };
  const load = { loadgen: bench.programs.loadgen, seconds: bench.seconds };
  const clusters: TestCluster[] = [];
  try {
    for (const kind of ["etcd", "quorate"] as const) clusters.push(await startCluster(bench, kind));
    for (const cluster of clusters) {
      for (const op of ["put", "get"]) {
        const warm = { ...load, seconds: benchLimits.warmUpSeconds };
        const all = target(cluster, cluster.members); // BC3
        await runLoad(all, { op, conns: 30, clients: 100 }, warm);
      }
    }
    const results: Compared[] = [];
    for (const { name, op, through } of clusterCells) {
      const measured: Measured[][] = [[], []];
      for (let round = 0; round < bench.rounds; round++) {
        for (const [i, cluster] of clusters.entries()) {
          const leader = await findLeader(cluster); // BC2
          const [follower] = followersOf(cluster, leader);
          const at = { leader: [leader], follower: [follower!], all: cluster.members }[through];
          measured[i]!.push(await runLoad(target(cluster, at), { op, ...shape }, load));
        }
      }
      results.push(compared(`${name} 100/1000`, "call", measured[0]!, measured[1]!));
    }
    return results;
  } finally {
    for (const cluster of clusters) await cluster.close();
  }
}

/** Hands leadership to this member by MoveLeader. */
export async function moveLeader(
  bench: ClusterBench,
  leader: ClusterMember,
  to: ClusterMember,
): Promise<void> {
  const page = await readMetrics(to);
  const key = [...page.keys()].find((name) => name.startsWith("etcd_server_id{"));
  const id = /server_id="([0-9a-f]+)"/.exec(key ?? "")?.[1];
  if (id === undefined) throw new Error(`${to.name} does not tell its id`);
  const args = ["--endpoints", leader.endpoint, "move-leader", id];
  const result = await runCommand(bench.programs.etcdctl, args);
  if (result.code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${result.stderr}`);
}
