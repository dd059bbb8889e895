// The longest time without an acknowledged write that a client sees when the leader goes, by itself
// or as planned: node test/e2e/robustness/gaps.ts [--rounds N] [--compare FILE of another etcd]
// [--event SIGKILL|SIGTERM|MoveLeader]
//
// Puts are sent every few milliseconds, whatever becomes of those before, in turn through the
// members that stay. The gap is the longest time between two acknowledgements around the event.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Failure } from "../../server/client.ts";
import { quorateProgram } from "../../conformance/servers.ts";
import { TestCluster, type ClusterMember } from "../cluster.ts";
import { Connection, methods } from "./connection.ts";

const putEveryMs = 5;
const putMsMax = 10_000;
const calmMs = 300;
const afterMs = 1_500;
const flowingMs = 100;
const roundMsMax = 20_000;
const statusMsMax = 1_000;
const memberCount = 3;
const value = new Uint8Array(100).fill(1);

type Event = "SIGKILL" | "SIGTERM" | "MoveLeader";
const events: readonly Event[] = ["SIGKILL", "SIGTERM", "MoveLeader"];

class Rig {
  readonly #cluster: TestCluster;
  readonly #connections: Map<ClusterMember, Connection>;

  private constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#connections = new Map(cluster.members.map((m) => [m, new Connection(m.endpoint)]));
  }

  static async start(program: string): Promise<Rig> {
    const names = Array.from({ length: memberCount }, (_, i) => `m${i + 1}`);
    const members = names.map((name) => ({ name, program }));
    return new Rig(await TestCluster.start({ members, flags: ["--log-level", "warn"] }));
  }

  /** One event; the gap in milliseconds. Leaves a whole cluster. */
  async round(event: Event): Promise<number> {
    await this.#cluster.ready();
    const { leader, id } = await this.#leader();
    const others = this.#cluster.members.filter((member) => member !== leader);
    const stay = event === "MoveLeader" ? this.#cluster.members : others;
    const acks: number[] = [];
    let sent = 0;
    const timer = setInterval(() => {
      const member = stay[sent++ % stay.length];
      if (member !== undefined) void this.#put(member, sent, acks);
    }, putEveryMs);
    await delay(calmMs);
    const begin = performance.now();
    await this.#make(event, leader, others, id);
    const now = (): number => performance.now() - begin;
    const isFlowing = (): boolean => performance.now() - (acks.at(-1) ?? 0) < flowingMs;
    while (now() < afterMs || !isFlowing()) {
      if (now() > roundMsMax) throw new Error(`writes do not go on after ${event}`);
      await delay(putEveryMs);
    }
    clearInterval(timer);
    if (!leader.isRunning) await leader.start();
    return longestGap(acks, begin - calmMs / 2);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.close();
    await this.#cluster.close();
  }

  #connection(member: ClusterMember): Connection {
    const connection = this.#connections.get(member);
    if (connection === undefined) throw new Error(`no connection to ${member.name}`);
    return connection;
  }

  async #put(member: ClusterMember, number: number, acks: number[]): Promise<void> {
    const key = new TextEncoder().encode(`gap${number % 100}`);
    const answer = await this.#connection(member).call(methods.put, { key, value }, putMsMax);
    if (!(answer instanceof Failure)) acks.push(performance.now());
  }

  async #make(
    event: Event,
    leader: ClusterMember,
    others: readonly ClusterMember[],
    ids: ReadonlyMap<ClusterMember, bigint>,
  ): Promise<void> {
    if (event !== "MoveLeader") {
      await leader.end(event);
      return;
    }
    const to = others[0];
    const targetID = (to === undefined ? undefined : ids.get(to)) ?? 0n;
    const answer = await this.#connection(leader).call(methods.moveLeader, { targetID }, putMsMax);
    if (answer instanceof Failure) throw new Error(`MoveLeader: ${answer.message}`);
  }

  async #leader(): Promise<{ leader: ClusterMember; id: Map<ClusterMember, bigint> }> {
    for (;;) {
      const id = new Map<ClusterMember, bigint>();
      let leader: ClusterMember | null = null;
      for (const member of this.#cluster.members) {
        const status = await this.#connection(member).call(methods.status, {}, statusMsMax);
        if (status instanceof Failure) continue;
        id.set(member, status.header?.memberId ?? 0n);
        if (status.leader === status.header?.memberId) leader = member;
      }
      if (leader !== null && id.size === memberCount) return { leader, id };
      await delay(flowingMs);
    }
  }
}

function longestGap(acks: readonly number[], from: number): number {
  let longest = 0;
  for (let i = 1; i < acks.length; i++) {
    const [before, after] = [acks[i - 1] ?? 0, acks[i] ?? 0];
    if (after >= from) longest = Math.max(longest, after - before);
  }
  return longest;
}

function report(label: string, event: Event, gaps: readonly number[]): void {
  const sorted = [...gaps].sort((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(0);
  const text = `${label} ${event}: median ${at(0.5)} ms, least ${at(0)}, most ${at(1)}`;
  process.stdout.write(`${text} (${gaps.length} rounds)\n`);
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    compare: { type: "string" },
    event: { type: "string" },
  },
});
const rigs: [string, Rig][] = [["quorate", await Rig.start(quorateProgram)]];
if (values.compare !== undefined) rigs.push(["other", await Rig.start(values.compare)]);
try {
  for (const event of events.filter((e) => values.event === undefined || e === values.event)) {
    const gaps = new Map<string, number[]>(rigs.map(([label]) => [label, []]));
    for (let i = 0; i < Number(values.rounds); i++) {
      for (const [label, rig] of rigs) gaps.get(label)?.push(await rig.round(event));
    }
    for (const [label, all] of gaps) report(label, event, all);
  }
} finally {
  await Promise.all(rigs.map(([, rig]) => rig.close()));
}
