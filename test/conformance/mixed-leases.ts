// Leases in a mixed cluster: kept alive through every member while leaders of both kinds change and
// die, read through every member, gone in time when nobody keeps them.
//
// LE1  A lease is judged by the rules that the simulator uses (test/check/lease-rules.ts), with one
//      more time to live per new leader of Go etcd, which starts them anew.
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { setTimeout as delay } from "node:timers/promises";

import { LeaseKeepAliveRequestSchema, LeaseKeepAliveResponseSchema } from "../../src/gen/rpc_pb.js";
import type { LeaseEvent } from "../check/history.ts";
import { checkLease } from "../check/lease-rules.ts";
import type { ClusterMember } from "../e2e/cluster.ts";
import { Failure, methods, TestClient } from "../server/client.ts";
import type { Programs } from "./build.ts";
import { MixedCluster, until, utf8 } from "./mixed-cluster.ts";
import type { Report } from "./report.ts";

const ttlSeconds = 6;
const shortTtlSeconds = 3;
const renewEveryMs = 300;
const lateMsMax = 5_000;
const rounds = 2;
const clockRate = 1.02;

/** Keeps one lease alive through one member. */
class Keeper {
  readonly id: bigint;
  readonly member: ClusterMember;
  readonly events: LeaseEvent[] = [];
  renewals = 0;
  #isOver = false;
  #stream: ClientDuplexStream<Buffer, Buffer> | null = null;
  #client: TestClient | null = null;
  #asked = 0;
  readonly #loop: Promise<void>;

  constructor(member: ClusterMember, id: bigint, granted: LeaseEvent) {
    this.member = member;
    this.id = id;
    this.events.push(granted);
    this.#loop = this.#keep();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    this.#drop();
  }

  async #keep(): Promise<void> {
    while (!this.#isOver) {
      this.#ask();
      await delay(renewEveryMs); // the pace of renewals
    }
  }

  /** One renewal under way at a time; a lost stream is opened again. */
  #ask(): void {
    if (this.#asked !== 0 || !this.member.isRunning) return;
    this.#asked = performance.now();
    const request = create(LeaseKeepAliveRequestSchema, { ID: this.id });
    this.#open().write(Buffer.from(toBinary(LeaseKeepAliveRequestSchema, request)));
  }

  #open(): ClientDuplexStream<Buffer, Buffer> {
    if (this.#stream !== null) return this.#stream;
    this.#client = new TestClient(this.member.endpoint);
    const stream = this.#client.stream("/etcdserverpb.Lease/LeaseKeepAlive");
    this.#stream = stream;
    stream.on("error", () => undefined); // its status follows
    stream.on("status", () => {
      if (this.#stream === stream) this.#lost();
    });
    stream.on("data", (bytes: Buffer) => {
      const { TTL } = fromBinary(LeaseKeepAliveResponseSchema, bytes);
      const times = { call: this.#asked, at: performance.now() };
      this.#asked = 0;
      if (TTL === 0n) this.events.push({ kind: "missing", ...times });
      else {
        this.renewals++;
        this.events.push({ kind: "renewed", ttlMs: Number(TTL) * 1_000, ...times });
      }
    });
    return stream;
  }

  #lost(): void {
    if (this.#asked !== 0) {
      this.events.push({ kind: "lost", call: this.#asked, at: performance.now() });
    }
    this.#drop();
  }

  #drop(): void {
    const [stream, client] = [this.#stream, this.#client];
    this.#stream = null;
    this.#client = null;
    this.#asked = 0;
    stream?.cancel();
    client?.close();
  }
}

const keyOf = (id: bigint): Uint8Array => utf8(`of-${String(id)}`);

async function grant(
  mixed: MixedCluster,
  member: ClusterMember,
  ttl: number,
): Promise<{ id: bigint; event: LeaseEvent }> {
  const call = performance.now();
  const { ID: id } = await mixed.client(member).must(methods.leaseGrant, { TTL: BigInt(ttl) });
  const at = performance.now();
  await mixed.client(member).must(methods.put, { key: keyOf(id), value: utf8("1"), lease: id });
  return { id, event: { kind: "granted", call, at, ttlMs: ttl * 1_000 } };
}

/** Every keeper was answered again by the leader of now. */
async function renewed(keepers: readonly Keeper[], name: string): Promise<void> {
  for (const keeper of keepers) {
    if (!keeper.member.isRunning) continue;
    const from = keeper.renewals;
    const what = `a renewal through ${keeper.member.name}, ${name}`;
    await until(what, () => Promise.resolve(keeper.renewals > from + 1 ? true : null));
  }
}

/** What each member says of each lease. */
async function compareTimes(
  report: Report,
  mixed: MixedCluster,
  keepers: readonly Keeper[],
  name: string,
): Promise<void> {
  for (const member of mixed.running) {
    const known = await mixed.client(member).must(methods.leases, {});
    const ids = known.leases.map(({ ID }) => ID);
    for (const { id } of keepers) {
      report.compare(`${name}: ${member.name} lists a lease`, "true", String(ids.includes(id)));
      const answer = await mixed.client(member).call(methods.timeToLive, { ID: id, keys: true });
      if (answer instanceof Failure) {
        report.fail(`${name}: timeToLive through ${member.name}`, answer.message);
        continue;
      }
      const { TTL, grantedTTL, keys } = answer;
      const isRight = TTL >= 0n && TTL <= grantedTTL && grantedTTL === BigInt(ttlSeconds);
      const got = `${String(isRight)}, ${keys.map((key) => new TextDecoder().decode(key)).join()}`;
      report.compare(`${name}: timeToLive through ${member.name}`, `true, of-${String(id)}`, got);
    }
  }
}

async function leadersChange(mixed: MixedCluster, keepers: readonly Keeper[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const member of mixed.members) {
      await mixed.moveLeader(member);
      await renewed(keepers, `${member.name} leads`);
    }
  }
}

async function leadersDie(mixed: MixedCluster, keepers: readonly Keeper[]): Promise<void> {
  for (const kind of ["q", "g"] as const) {
    const member = mixed.of(kind)[0]!;
    await mixed.moveLeader(member);
    await member.end("SIGKILL");
    mixed.dropClient(member);
    await renewed(keepers, `${member.name} was killed`);
    await member.start();
    mixed.dropClient(member);
  }
}

/** Nobody renews them: they go, not before their time, everywhere. */
async function end(
  report: Report,
  mixed: MixedCluster,
  events: ReadonlyMap<bigint, LeaseEvent[]>,
  name: string,
): Promise<void> {
  for (const [id, seen] of events) {
    for (const member of mixed.running) {
      await until(`${name}: the end of a lease on ${member.name}`, async () => {
        const call = performance.now();
        const answer = await mixed.client(member).call(methods.range, { key: keyOf(id) });
        if (answer instanceof Failure) return null;
        const kind = answer.count > 0n ? ("present" as const) : ("missing" as const);
        seen.push({ kind, call, at: performance.now() });
        return kind === "missing" ? true : null;
      });
      const { TTL } = await mixed.client(member).must(methods.timeToLive, { ID: id });
      report.compare(`${name}: ${member.name} after the end of a lease`, "-1", String(TTL));
    }
    seen.sort((a, b) => a.at - b.at);
    const found = checkLease({ id: String(id), events: seen }, { lateMsMax, clockRate });
    report.compare(`${name}: rules of leases`, "", found.join("\n"));
  }
}

export async function mixedLeases(
  report: Report,
  programs: Programs,
  kinds: string,
): Promise<void> {
  await MixedCluster.run(programs, { kinds }, async (mixed) => {
    const keepers: Keeper[] = [];
    try {
      for (const member of mixed.members) {
        const { id, event } = await grant(mixed, member, ttlSeconds);
        keepers.push(new Keeper(member, id, event));
      }
      const left = await grant(mixed, mixed.members[1]!, shortTtlSeconds);
      await leadersChange(mixed, keepers);
      await compareTimes(report, mixed, keepers, `${kinds}, leaders change`);
      await leadersDie(mixed, keepers);
      await compareTimes(report, mixed, keepers, `${kinds}, leaders die`);
      // Each new leader may have started it anew (LE1): only that it goes is known.
      const lost: LeaseEvent = { kind: "lost", call: performance.now(), at: performance.now() };
      await end(report, mixed, new Map([[left.id, [left.event, lost]]]), `${kinds}, left alone`);
      for (const keeper of keepers) await keeper.stop();
      const ended = new Map(keepers.map(({ id, events }) => [id, events]));
      await end(report, mixed, ended, `${kinds}, no longer kept`);
      await mixed.compareHashes(report, `${kinds}, leases`);
    } finally {
      for (const keeper of keepers) await keeper.stop();
    }
  });
}
