// What the client's suite runs against: Quorate, or another etcd named by the environment. The same
// files then say whether the client works with both.
//
// CLIENT_SUITE_PROGRAM  path of a server; Quorate's own when absent
// CLIENT_SUITE_MEMBERS  members of the cluster, 1 when absent
import assert from "node:assert/strict";

import type { ClientOptions } from "../../../src/client/client-options.ts";
import { EtcdClient } from "../../../src/client/client.ts";
import { TestCluster } from "../../e2e/cluster.ts";

const program = process.env["CLIENT_SUITE_PROGRAM"];
export const memberCount = Number(process.env["CLIENT_SUITE_MEMBERS"] ?? "1");

/** Why a test cannot run yet; false where it can. */
export function lacks(service: "auth" | "downgrade" | "election" | "lock"): string | false {
  return program === undefined ? `Quorate has no ${service} service yet` : false;
}

/** A cluster with a client, for all tests of one file. */
export class Target {
  readonly cluster: TestCluster;
  readonly client: EtcdClient;
  readonly #clients: EtcdClient[] = [];

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.client = this.newClient();
  }

  static async start(flags: readonly string[] = []): Promise<Target> {
    const names = Array.from({ length: memberCount }, (_, i) => `m${i}`);
    const members = names.map((name) => (program === undefined ? { name } : { name, program }));
    return new Target(await TestCluster.start({ members, flags: ["--log-level=warn", ...flags] }));
  }

  get endpoints(): string[] {
    return this.cluster.endpoints;
  }

  /** Closed with the target. */
  newClient(options: ClientOptions = {}): EtcdClient {
    const client = new EtcdClient({ endpoints: this.cluster.endpoints, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Endpoint of the member that leads. */
  async leaderEndpoint(): Promise<string> {
    for (const endpoint of this.endpoints) {
      const status = await this.client.maintenance.status({ endpoint });
      if (status.leader === status.header.memberId) return endpoint;
    }
    throw new Error("nobody leads");
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    const ends = this.cluster.members.flatMap((member) => member.unexpectedEnds);
    await this.cluster.close();
    assert.deepEqual(ends, []);
  }
}

export async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
}
