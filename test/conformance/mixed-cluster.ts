// Clusters of Quorate and Go etcd members for the suites of mixed clusters.
//
// MX1  A step that waits for the cluster has a deadline, and says what it waited for.
// MX2  The cluster is ended whatever happens.
import { setTimeout as delay } from "node:timers/promises";

import type { ClusterMember } from "../e2e/cluster.ts";
import { TestCluster, type MemberSpec } from "../e2e/cluster.ts";
import { Failure, methods, TestClient } from "../server/client.ts";
import type { Programs } from "./build.ts";
import type { Report } from "./report.ts";

/** `q`: Quorate, `g`: Go etcd. */
export type Kind = "q" | "g";

export interface Ports {
  readonly client: number;
  readonly peer: number;
}

export interface MixedOptions {
  /** One letter per member. */
  readonly kinds: string;
  readonly flags?: readonly string[];
  /** Of each member that is made, in order; free ones when absent. */
  readonly ports?: readonly Ports[];
  /** Names begin with this; with their kind when absent. */
  readonly name?: string;
}

const waitMsMax = 30_000;
const pollMs = 30;

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Asks again until the answer is not null (MX1). */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null>,
  timeoutMs = waitMsMax,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(pollMs); // between two questions to other processes
  }
}

export interface Position {
  readonly revision: number;
  readonly hash: number;
  readonly compactRevision: number;
}

export class MixedCluster {
  readonly cluster: TestCluster;
  readonly #programs: Programs;
  readonly #options: MixedOptions;
  readonly #clients = new Map<string, TestClient>();
  #count: number;

  private constructor(cluster: TestCluster, programs: Programs, options: MixedOptions) {
    this.cluster = cluster;
    this.#programs = programs;
    this.#options = options;
    this.#count = options.kinds.length;
  }

  /** Members of these kinds, running, with the first one leading; `use` has the cluster. */
  static async run(
    programs: Programs,
    options: MixedOptions,
    use: (mixed: MixedCluster) => Promise<void>,
  ): Promise<void> {
    const members = [...options.kinds].map((kind, i) => {
      return specOf(kind as Kind, i, programs, options);
    });
    const cluster = await TestCluster.start({ members, flags: options.flags ?? [] });
    const mixed = new MixedCluster(cluster, programs, options);
    try {
      await mixed.moveLeader(mixed.members[0]!);
      await use(mixed);
    } finally {
      await mixed.#close(); // MX2
    }
  }

  /** Ports of the member made as number `at`, from 0. Only for clusters with given ports. */
  portsAt(at: number): Ports {
    return this.#options.ports![at]!;
  }

  kindOf(member: ClusterMember): Kind {
    return member.program === this.#programs.etcd ? "g" : "q";
  }

  get members(): readonly ClusterMember[] {
    return this.cluster.members;
  }

  get running(): ClusterMember[] {
    return this.members.filter((member) => member.isRunning);
  }

  of(kind: Kind): ClusterMember[] {
    return this.running.filter((member) => this.kindOf(member) === kind);
  }

  client(member: ClusterMember): TestClient {
    let client = this.#clients.get(member.name);
    if (client === undefined) {
      client = new TestClient(member.endpoint);
      this.#clients.set(member.name, client);
    }
    return client;
  }

  /** A connection of before a restart waits long until it tries again. */
  dropClient(member: ClusterMember): void {
    this.#clients.get(member.name)?.close();
    this.#clients.delete(member.name);
  }

  async idOf(member: ClusterMember): Promise<bigint> {
    const { header } = await this.client(member).must(methods.status, {});
    return header!.memberId;
  }

  /** The member that says of itself that it leads. */
  leader(): Promise<ClusterMember> {
    return until("a leader", async () => {
      for (const member of this.running) {
        const status = await this.client(member).call(methods.status, {});
        if (!(status instanceof Failure) && status.leader === status.header!.memberId) {
          return member;
        }
      }
      return null;
    });
  }

  async moveLeader(to: ClusterMember): Promise<void> {
    const targetID = await this.idOf(to);
    await until(`${to.name} to lead`, async () => {
      const leader = await this.leader();
      if (leader === to) return true;
      // A refusal shows in the next round: it is none of the caller's business who led before.
      await this.client(leader).call(methods.moveLeader, { targetID });
      return (await this.leader()) === to ? true : null;
    });
    for (const member of this.running) {
      await until(`${member.name} to follow ${to.name}`, async () => {
        const status = await this.client(member).call(methods.status, {});
        return !(status instanceof Failure) && status.leader === targetID ? true : null;
      });
    }
  }

  /** Adds a member over `by` and starts it; as learner unless told otherwise. */
  async join(
    kind: Kind,
    by: ClusterMember,
    { isLearner = true } = {},
  ): Promise<{ member: ClusterMember; id: bigint }> {
    const member = await this.cluster.join(
      specOf(kind, this.#count++, this.#programs, this.#options),
    );
    const client = this.client(by);
    const added = await until(`${member.name} to be added`, async () => {
      const answer = await client.call(methods.memberAdd, {
        peerURLs: [member.peerUrl],
        isLearner,
      });
      return answer instanceof Failure ? null : answer;
    });
    member.spawn();
    await listening(member);
    this.dropClient(member);
    return { member, id: added.member!.ID };
  }

  /** Asks until the learner has caught up. */
  async promote(id: bigint, by: ClusterMember): Promise<void> {
    let last = "";
    await until(
      "a learner to be promoted",
      async () => {
        const answer = await this.client(by).call(methods.memberPromote, { ID: id });
        if (!(answer instanceof Failure)) return true;
        last = answer.message;
        return null;
      },
      waitMsMax,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${last}`);
    });
  }

  put(member: ClusterMember, key: string, value: string): Promise<unknown> {
    return this.client(member).must(methods.put, { key: utf8(key), value: utf8(value) });
  }

  async hashAt(member: ClusterMember, revision: number): Promise<Position | Failure> {
    const answer = await this.client(member).call(methods.hashKv, { revision: BigInt(revision) });
    if (answer instanceof Failure) return answer;
    return {
      revision: Number(answer.hashRevision),
      hash: answer.hash,
      compactRevision: Number(answer.compactRevision),
    };
  }

  /** HashKV of all running members at the newest revision and at older ones. Nobody writes. */
  async compareHashes(report: Report, name: string, older: readonly number[] = []): Promise<void> {
    const [first, ...others] = this.running;
    const latest = await this.client(first!).must(methods.range, { key: utf8("none") });
    const newest = Number(latest.header!.revision);
    for (const revision of [newest, ...older]) {
      const want = await this.#settledHash(first!, revision);
      for (const member of others) {
        const got = await this.#settledHash(member, revision, want);
        report.compare(`${name}: HashKV of ${first!.name} and ${member.name}`, want, got);
      }
    }
  }

  /** A member that is behind does not know the revision yet, or not the newest compaction. */
  async #settledHash(member: ClusterMember, revision: number, want?: string): Promise<string> {
    const deadline = performance.now() + waitMsMax;
    for (;;) {
      const got = await this.hashAt(member, revision);
      const text = got instanceof Failure ? got.message : JSON.stringify(got);
      const isBehind = got instanceof Failure || (want !== undefined && text !== want);
      if (!isBehind || performance.now() > deadline) return text;
      await delay(pollMs); // between two questions to another process
    }
  }

  async #close(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    await this.cluster.close();
  }
}

/** A learner is not healthy, yet it serves some requests. */
export async function listening(member: ClusterMember): Promise<void> {
  await until(`${member.name} to listen`, async () => {
    if (!member.isRunning) throw new Error(`${member.name} ended:\n${member.log().slice(-2_000)}`);
    try {
      return (await fetch(`http://${member.endpoint}/version`)).ok ? true : null;
    } catch {
      return null;
    }
  });
}

function specOf(
  kind: Kind,
  at: number,
  programs: Programs,
  { ports, name }: MixedOptions,
): MemberSpec {
  return {
    name: `${name ?? kind}${String(at + 1)}`,
    ...(ports === undefined ? {} : { ports: ports[at]! }),
    ...(kind === "q" ? {} : { program: programs.etcd, flags: ["--unsafe-no-fsync"] }),
  };
}
