// A running cluster behind a network that a test can break, for the suites of the client. The same
// suites run against Quorate and against Go etcd, by the variables of suite/target.ts; here a
// cluster has three members unless they say otherwise.
import type { TestContext } from "node:test";

import { createRandom } from "../../src/base/random.ts";
import type { ClientOptions } from "../../src/client/client-options.ts";
import { EtcdClient } from "../../src/client/client.ts";
import { TestCluster, type ClusterMember } from "../e2e/cluster.ts";
import { PeerNetwork } from "../e2e/proxy.ts";

const here = "client";
const sideTimeoutMs = 5_000;

const program = process.env["CLIENT_SUITE_PROGRAM"];
const memberCount = Number(process.env["CLIENT_SUITE_MEMBERS"] ?? "3");

export class LiveCluster {
  readonly cluster: TestCluster;
  readonly #network: PeerNetwork;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #clients: EtcdClient[] = [];

  private constructor(
    cluster: TestCluster,
    network: PeerNetwork,
    ports: ReadonlyMap<string, number>,
  ) {
    this.cluster = cluster;
    this.#network = network;
    this.#ports = ports;
  }

  static async start(): Promise<LiveCluster> {
    const members = Array.from({ length: memberCount }, (_, i) => ({
      name: `m${i + 1}`,
      ...(program === undefined ? {} : { program }),
    }));
    const cluster = await TestCluster.start({ members, flags: ["--log-level=warn"] });
    const network = new PeerNetwork(createRandom(1));
    await network.add(here, () => process.pid);
    const ports = new Map<string, number>();
    for (const member of cluster.members) {
      ports.set(member.name, await network.add(member.name, () => member.pid));
      network.setTarget(member.name, member.clientPort);
    }
    return new LiveCluster(cluster, network, ports);
  }

  /** Reaches the members through the network that {@link cut} breaks. */
  client(options: ClientOptions = {}): EtcdClient {
    const endpoints = [...this.#ports.values()].map((port) => `127.0.0.1:${port}`);
    return this.#keep(new EtcdClient({ endpoints, ...options }));
  }

  /** Reaches the members whatever is cut. */
  sideClient(options: ClientOptions = {}): EtcdClient {
    return this.#keep(new EtcdClient({ endpoints: this.cluster.endpoints, ...options }));
  }

  /** Ends the connections of {@link client}, and new ones too, until {@link heal}. */
  cut(...members: readonly ClusterMember[]): void {
    for (const { name } of members) this.#network.set(here, name, { cut: "reset" });
  }

  /** Connections stay and nothing passes until {@link heal}. */
  hold(...members: readonly ClusterMember[]): void {
    for (const { name } of members) {
      this.#network.set(here, name, { cut: "hold" });
      this.#network.set(name, here, { cut: "hold" });
    }
  }

  heal(): void {
    this.#network.heal();
  }

  /** Connections that a cut has ended so far. */
  get resets(): number {
    return this.#network.resets;
  }

  async leader(): Promise<ClusterMember> {
    const client = this.sideClient();
    for (const member of this.cluster.members) {
      if (!member.isRunning) continue;
      const { leader, header } = await client.maintenance.status({
        endpoint: member.endpoint,
        timeoutMs: sideTimeoutMs,
      });
      if (leader === header.memberId) return member;
    }
    throw new Error("no member leads");
  }

  /** Hands leadership to another member, if there is one. */
  async moveLeader(): Promise<void> {
    const client = this.sideClient();
    const leader = await this.leader();
    const { members } = await client.cluster.memberList();
    const next = members.find(({ name }) => name !== leader.name);
    if (next === undefined) return;
    await client.maintenance.moveLeader(next.id, { endpoint: leader.endpoint });
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.#network.close();
    await this.cluster.close();
  }

  #keep(client: EtcdClient): EtcdClient {
    this.#clients.push(client);
    return client;
  }
}

/** One test of a suite, on a cluster that it may break but must leave healed and whole. */
export interface LiveCase {
  readonly name: string;
  run(live: LiveCluster): Promise<void>;
}

/** Runs the cases one after the other on one cluster. */
export async function runCases(t: TestContext, cases: readonly LiveCase[]): Promise<void> {
  const live = await LiveCluster.start();
  try {
    for (const { name, run } of cases) {
      await t.test(name, async () => {
        try {
          await run(live);
        } finally {
          live.heal();
        }
      });
    }
  } finally {
    await live.close();
  }
}
