// A cluster whose peers talk through a network that can be broken, and what faults ask of it.
import { setTimeout as delay } from "node:timers/promises";

import type { Random } from "../../../src/base/ports.ts";
import type { Member, StatusResponse } from "../../../src/gen/rpc_pb.js";
import { Failure } from "../../server/client.ts";
import { TestCluster, type ClusterMember, type MemberSpec } from "../cluster.ts";
import { PeerNetwork } from "../proxy.ts";
import { Connection, methods } from "./connection.ts";

const statusMsMax = 700;
const changeMsMax = 3_000;
const changeTries = 60;
const pollMs = 100;
const startTries = 3;
const waitMsMax = 40_000;

const flags = [
  ...["--snapshot-count", "500", "--snapshot-catchup-entries", "100"],
  ...["--log-level", "info"],
];

export interface ArenaOptions {
  readonly members: number;
  readonly program?: string;
  /** Where the first member's data directory is made. */
  readonly parent?: string;
  readonly flags?: readonly string[];
}

export class Arena {
  readonly cluster: TestCluster;
  readonly network: PeerNetwork;
  readonly random: Random;
  /** What was done, with times; for reports. */
  readonly story: string[] = [];
  /** Kinds of faults that were really injected, and how often. */
  readonly marks = new Map<string, number>();
  /** Processes ended by SIGKILL. */
  killed = 0;
  readonly #connections = new Map<string, Connection>();
  readonly #begin = performance.now();

  private constructor(cluster: TestCluster, network: PeerNetwork, random: Random) {
    this.cluster = cluster;
    this.network = network;
    this.random = random;
  }

  /** Other programs may take a port between choice and use: then all is begun anew. */
  static async start(options: ArenaOptions, random: Random): Promise<Arena> {
    for (let tries = 1; ; tries++) {
      try {
        return await Arena.#startOnce(options, random);
      } catch (error) {
        if (tries === startTries || !String(error).includes("address already in use")) throw error;
      }
    }
  }

  static async #startOnce(options: ArenaOptions, random: Random): Promise<Arena> {
    const network = new PeerNetwork(random.fork("network"));
    const specs: MemberSpec[] = [];
    const members = (): readonly ClusterMember[] => arena?.cluster.members ?? [];
    let arena: Arena | null = null;
    for (let i = 1; i <= options.members; i++) {
      const name = `m${i}`;
      const pid = (): number => members().find((m) => m.name === name)?.pid ?? -1;
      const port = await network.add(name, pid);
      specs.push({
        ...{ name, ...(options.program === undefined ? {} : { program: options.program }) },
        ...(i > 1 || options.parent === undefined ? {} : { parent: options.parent }),
        advertisedPeerPort: (peerPort) => {
          network.setTarget(name, peerPort);
          return port;
        },
      });
    }
    const cluster = await TestCluster.create({
      ...{ members: specs, flags: [...flags, ...(options.flags ?? [])] },
    });
    arena = new Arena(cluster, network, random.fork("faults"));
    try {
      for (const member of cluster.members) member.spawn();
      await cluster.ready();
    } catch (error) {
      await arena.close(true);
      throw error;
    }
    return arena;
  }

  get members(): readonly ClusterMember[] {
    return this.cluster.members;
  }
  get running(): ClusterMember[] {
    return this.members.filter((member) => member.isRunning);
  }

  tell(text: string): void {
    this.story.push(`${((performance.now() - this.#begin) / 1_000).toFixed(2)} ${text}`);
  }

  /** As tell, for a fault that is now there. */
  mark(kind: string, text: string): void {
    this.marks.set(kind, (this.marks.get(kind) ?? 0) + 1);
    this.tell(`${kind}: ${text}`);
  }

  any(members: readonly ClusterMember[] = this.members): ClusterMember {
    const member = members[this.random.below(members.length)];
    if (member === undefined) throw new Error("no member");
    return member;
  }

  shuffled(): ClusterMember[] {
    const rest = [...this.members];
    const out: ClusterMember[] = [];
    while (rest.length > 0) out.push(...rest.splice(this.random.below(rest.length), 1));
    return out;
  }

  connection(member: ClusterMember): Connection {
    let connection = this.#connections.get(member.name);
    if (connection === undefined) {
      connection = new Connection(member.endpoint);
      this.#connections.set(member.name, connection);
    }
    return connection;
  }

  async status(member: ClusterMember): Promise<StatusResponse | null> {
    if (!member.isRunning) return null;
    const status = await this.connection(member).call(methods.status, {}, statusMsMax);
    return status instanceof Failure ? null : status;
  }

  /** The one that most believe in, or that says so itself with the highest term; null: nobody. */
  async leader(): Promise<ClusterMember | null> {
    const all = await Promise.all(this.members.map((member) => this.status(member)));
    let [best, term] = [null as ClusterMember | null, -1n];
    for (const [i, status] of all.entries()) {
      const isLeader = status !== null && status.leader === status.header?.memberId;
      if (!isLeader || status.raftTerm < term) continue;
      best = this.members[i] ?? null;
      term = status.raftTerm;
    }
    return best;
  }

  /** The leader, or whoever, if there is none in time. */
  async leaderOrAny(): Promise<ClusterMember> {
    for (let tries = 0; tries < 30; tries++) {
      const leader = await this.leader();
      if (leader !== null) return leader;
      await delay(pollMs);
    }
    return this.any(this.running);
  }

  /** Starts those that do not run. */
  startAll(): void {
    for (const member of this.members) if (!member.isRunning) member.spawn();
  }

  /** Asks `ask` of running members in turn until one does it. Throws with the last refusal. */
  async persist<T>(
    what: string,
    ask: (connection: Connection) => Promise<T | Failure>,
  ): Promise<T> {
    let last = new Failure(0, "no member runs");
    for (let tries = 0; tries < changeTries; tries++) {
      const running = this.running;
      const member = running[tries % Math.max(1, running.length)];
      if (member !== undefined) {
        const answer = await ask(this.connection(member));
        if (!(answer instanceof Failure)) return answer;
        last = answer;
      }
      await delay(2 * pollMs);
    }
    throw new Error(`${what} is refused: ${last.code} ${last.message}`);
  }

  async list(): Promise<Member[]> {
    const answer = await this.persist("MemberList", (c) =>
      c.call(methods.memberList, { linearizable: true }, changeMsMax),
    );
    return answer.members;
  }

  /** Waits until every member has applied what the newest one had when asked. */
  async caughtUp(member: ClusterMember): Promise<void> {
    const all = await Promise.all(this.members.map((other) => this.status(other)));
    const index = all.reduce((max, s) => (s !== null && s.raftIndex > max ? s.raftIndex : max), 0n);
    await this.wait(`${member.name} catches up`, async () => {
      const status = await this.status(member);
      return status !== null && status.raftAppliedIndex >= index;
    });
  }

  /** Throws if it does not become true in time. */
  async wait(what: string, isTrue: () => Promise<boolean>, timeoutMs = waitMsMax): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isTrue())) {
      if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
      await delay(pollMs);
    }
  }

  async close(keep: boolean): Promise<void> {
    for (const connection of this.#connections.values()) connection.close();
    for (const member of this.members) member.signal("SIGCONT");
    await this.cluster.close(keep);
    this.network.close();
  }
}
