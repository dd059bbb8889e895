// A member that was away while the cluster was filled, and gets the database by snapshot while a
// few clients write through the leader.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import type { ClusterMember } from "../test/e2e/cluster.ts";
import { findLeader, followersOf, startCluster, type ClusterBench, type Kind } from "./cluster.ts";
import { benchLimits } from "./limits.ts";
import { runLoad, type Measured } from "./load.ts";
import { readMetrics } from "./metrics.ts";
import { memory } from "./process.ts";

export interface CatchUp {
  readonly keys: number;
  readonly valueBytes: number;
  /** From the start of the member's process until it has what the leader has. */
  readonly seconds: number;
  /** Puts of the leader's clients before and meanwhile, in microseconds. */
  readonly p99BeforeUs: number;
  readonly p99DuringUs: number;
  /** The most RssAnon meanwhile above what it was before: of the leader under the same load, of the
   *  member when it was new and empty. */
  readonly leaderGrowthBytes: number;
  readonly memberGrowthBytes: number;
}

const revisionMetric = "etcd_debugging_mvcc_current_revision";
/** The log keeps little, so that the member cannot catch up by log. */
const logFlags = ["--snapshot-count", "200", "--snapshot-catchup-entries", "100"];

/** @param keys each with a value of benchLimits.catchUpValueBytes */
export async function measureCatchUp(
  bench: ClusterBench,
  kind: Kind,
  keys: number,
): Promise<CatchUp> {
  const cluster = await startCluster(bench, kind, logFlags);
  try {
    const leader = await findLeader(cluster);
    const member = followersOf(cluster, leader)[0]!;
    const memberBefore = memory(member.pid).anonBytes;
    await member.end("SIGTERM");
    const { loadgen } = bench.programs;
    const valueBytes = benchLimits.catchUpValueBytes;
    const target = { label: kind, endpoint: leader.endpoint, pid: leader.pid };
    const sizes = ["--keys", `${keys}`, "--value-len", `${valueBytes}`];
    const fill = { loadgen, seconds: 0, extra: sizes };
    await runLoad(target, { op: "fill", conns: 4, clients: 4 }, fill);
    await delay(benchLimits.settleMs);
    const shape = { op: "put", conns: 4, clients: benchLimits.catchUpClients };
    const extra = ["--pace", `${benchLimits.catchUpPaceMs}ms`];
    const quiet = { loadgen, seconds: benchLimits.catchUpQuietSeconds, extra };
    const before = await runLoad(target, shape, quiet);
    const leaderBefore = memory(leader.pid).anonBytes;
    const writers = startWriters(loadgen, leader, shape.clients);
    const started = performance.now();
    member.spawn();
    const most = await untilCaughtUp(leader, member);
    const seconds = (performance.now() - started) / 1_000;
    const during = await writers.end();
    return {
      ...{ keys, valueBytes, seconds, p99BeforeUs: before.p99Us, p99DuringUs: during.p99Us },
      leaderGrowthBytes: most.leader - leaderBefore,
      memberGrowthBytes: most.member - memberBefore,
    };
  } finally {
    await cluster.close();
  }
}

function startWriters(
  loadgen: string,
  leader: ClusterMember,
  clients: number,
): { end(): Promise<Measured> } {
  const args = ["--endpoint", leader.endpoint, "--op", "put", "--conns", "4"];
  args.push("--clients", `${clients}`, "--pace", `${benchLimits.catchUpPaceMs}ms`);
  args.push("--seconds", `${benchLimits.loadTimeoutMs / 1_000}`);
  const child = spawn(loadgen, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const closed = once(child, "close");
  return {
    end: async () => {
      child.kill("SIGTERM");
      await closed;
      return JSON.parse(output) as Measured;
    },
  };
}

/** The most RssAnon of both until then. */
async function untilCaughtUp(
  leader: ClusterMember,
  member: ClusterMember,
): Promise<{ leader: number; member: number }> {
  const most = { leader: 0, member: 0 };
  const end = performance.now() + benchLimits.loadTimeoutMs;
  while (performance.now() < end) {
    most.leader = Math.max(most.leader, memory(leader.pid).anonBytes);
    most.member = Math.max(most.member, memory(member.pid).anonBytes);
    const wanted = await revisionOf(leader);
    if ((await revisionOf(member)) >= wanted) return most;
    if (!member.isRunning) throw new Error(`${member.name} ended:\n${member.log().slice(-4_000)}`);
    await delay(benchLimits.memoryPollMs);
  }
  throw new Error(`${member.name} does not catch up`);
}

/** -1 while it does not answer. */
async function revisionOf(member: ClusterMember): Promise<number> {
  const page = await readMetrics(member).catch(() => new Map<string, number>());
  return page.get(revisionMetric) ?? -1;
}
