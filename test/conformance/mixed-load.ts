// Writers on every member of a mixed cluster, and what must hold of what they were told.
//
// ML1  Revisions have no gap: each one belongs to a write, and a watch from the first one on sees
//      every one, once, in order.
// ML2  An acknowledged write is at the revision of its answer; one without an answer happened or
//      did not.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { setTimeout as delay } from "node:timers/promises";

import { createRandom } from "../../src/base/random.ts";
import { toBinaryString } from "../../src/base/bytes.ts";
import { Compare_CompareResult, Compare_CompareTarget } from "../../src/gen/rpc_pb.js";
import type { ClusterMember } from "../e2e/cluster.ts";
import { Failure, methods, type Method } from "../server/client.ts";
import { until, utf8, type MixedCluster } from "./mixed-cluster.ts";
import { MemberWatch, type Seen } from "./mixed-watch.ts";
import type { Report } from "./report.ts";

const writersPerMember = 3;
const ownKeys = 20;
const sharedKeys = 10;
/** A write that a leader dropped on its way out is answered by nobody. */
const callMs = 3_000;
const failurePauseMs = 30;
const compactEveryMs = 300;
/** Revisions left for HashKV behind the newest one. */
const keptRevisions = 300;
const leaseTtlSeconds = 300n;
const all = { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) };

type Ack = Seen;

export class Load {
  readonly #mixed: MixedCluster;
  /** What was there before. */
  readonly #first: ReadonlyMap<string, string>;
  readonly #watches: MemberWatch[];
  readonly #acks: Ack[] = [];
  readonly #failures = new Map<string, number>();
  readonly #tasks: Promise<void>[] = [];
  readonly #random = createRandom(1);
  #compacted = 0;
  #isOver = false;

  private constructor(mixed: MixedCluster, first: ReadonlyMap<string, string>, revision: number) {
    this.#mixed = mixed;
    this.#first = first;
    this.#watches = mixed.members.map((member) => new MemberWatch(member, revision + 1));
    for (let i = 0; i < mixed.members.length * writersPerMember; i++) {
      this.#tasks.push(this.#write(i));
    }
    this.#tasks.push(this.#compact());
  }

  /** Nobody else writes. */
  static async start(mixed: MixedCluster): Promise<Load> {
    const { kvs, header } = await mixed.client(mixed.running[0]!).must(methods.range, all);
    return new Load(mixed, new Map(kvs.map(pairOf)), Number(header!.revision));
  }

  /** Waits until so many more writes were acknowledged. */
  async progress(name: string, count = 200): Promise<void> {
    const from = this.#acks.length;
    await until(`writes go on: ${name}`, () =>
      Promise.resolve(this.#acks.length >= from + count ? true : null),
    );
  }

  /** What the writers were refused, for the report. */
  get summary(): string {
    const failures = [...this.#failures].map(([text, count]) => `${String(count)} x ${text}`);
    return [
      `${String(this.#acks.length)} acknowledged, compacted ${String(this.#compacted)}`,
      ...failures,
    ].join("; ");
  }

  /** A new member is watched, too, from where no compaction has been asked for. */
  watch(member: ClusterMember): void {
    this.#watches.push(new MemberWatch(member, this.#seenByAll() + 1));
  }

  /** The watch of a member that goes for ever. */
  unwatch(member: ClusterMember): void {
    for (const watch of this.#watches) if (watch.member === member) watch.close();
  }

  /** Stops the writers and checks everything. */
  async finish(report: Report, name: string): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#tasks);
    const [first] = this.#mixed.running;
    const last = await this.#mixed
      .client(first!)
      .must(methods.put, { key: utf8("last"), value: utf8("1") });
    const revision = Number(last.header!.revision);
    this.#acks.push({ revision, key: "last", value: "1" });
    const truth = await this.#checkWatches(report, name, revision);
    this.#checkAcks(report, name, truth);
    await this.#checkState(report, name, truth);
    const older = [this.#compacted, this.#compacted + 1, revision - 1].filter((r) => r > 0);
    await this.#mixed.compareHashes(report, name, older);
    for (const watch of this.#watches) watch.close();
  }

  /** Ends everything, whatever happened. */
  async close(): Promise<void> {
    this.#isOver = true;
    for (const watch of this.#watches) watch.close();
    await Promise.all(this.#tasks);
  }

  /** ML1. The events of the first watch. */
  async #checkWatches(report: Report, name: string, last: number): Promise<readonly Seen[]> {
    const open = this.#watches.filter((watch) => watch.isOpen);
    for (const watch of open) {
      const what = `${name}: the watch on ${watch.member.name} to see ${String(last)}`;
      await until(what, () => Promise.resolve(watch.lastRevision >= last ? true : null));
    }
    const truth = open[0]!.seen;
    const revisions = [...new Set(truth.map(({ revision }) => revision))];
    report.compare(`${name}: revisions without a gap`, "", firstGap(revisions));
    for (const watch of this.#watches) {
      const label = `${name}: the watch on ${watch.member.name}`;
      report.compare(`${label} goes on`, "", watch.problems.join("\n"));
      const due = truth.filter(({ revision }) => {
        return revision >= watch.firstRevision && revision <= watch.lastRevision;
      });
      report.compare(label, linesOf(due), linesOf(watch.seen));
    }
    return truth;
  }

  /** ML2 */
  #checkAcks(report: Report, name: string, truth: readonly Seen[]): void {
    const events = new Set(truth.map(lineOf));
    const lost = this.#acks.filter((ack) => !events.has(lineOf(ack)));
    report.compare(`${name}: acknowledged writes`, "", linesOf(lost));
  }

  async #checkState(report: Report, name: string, truth: readonly Seen[]): Promise<void> {
    const live = new Map(this.#first);
    for (const { key, value } of truth) {
      if (value === null) live.delete(key);
      else live.set(key, value);
    }
    const want = [...live].map((pair) => pair.join("=")).sort();
    for (const member of this.#mixed.running) {
      const { kvs } = await this.#mixed.client(member).must(methods.range, all);
      const got = kvs.map((kv) => pairOf(kv).join("="));
      report.compare(`${name}: keys of ${member.name}`, want.join("\n"), got.sort().join("\n"));
    }
  }

  async #write(number: number): Promise<void> {
    const random = this.#random.fork(String(number));
    for (let i = 0; !this.#isOver; i++) {
      const members = this.#mixed.running;
      const member = members[number % members.length]!;
      const value = `${String(number)}-${String(i)}`;
      const own = `own-${String(number)}-${String(random.below(ownKeys))}`;
      const shared = `shared-${String(random.below(sharedKeys))}`;
      const failure = await this.#one(member, random.below(20), { own, shared, value });
      if (failure === null) continue;
      const text = failure.message.replace(/(No connection|Deadline exceeded|ECONN).*/s, "$1");
      this.#failures.set(text, (this.#failures.get(text) ?? 0) + 1);
      await delay(failurePauseMs); // an unreachable member refuses at once
    }
  }

  async #one(
    member: ClusterMember,
    dice: number,
    names: { readonly own: string; readonly shared: string; readonly value: string },
  ): Promise<Failure | null> {
    const { own, shared, value } = names;
    if (dice < 10) return this.#put(member, own, value);
    if (dice < 14) return this.#txn(member, own, shared, value);
    if (dice < 17) return this.#delete(member, own);
    if (dice < 18) return this.#lease(member, own, value);
    return this.#read(member, own);
  }

  async #put(
    member: ClusterMember,
    key: string,
    value: string,
    lease = 0n,
  ): Promise<Failure | null> {
    const body = { key: utf8(key), value: utf8(value), lease };
    const answer = await this.#call(member, methods.put, body);
    if (answer instanceof Failure) return answer;
    this.#acks.push({ revision: Number(answer.header!.revision), key, value });
    return null;
  }

  /** Writes both keys if the shared one exists, else makes it. */
  async #txn(
    member: ClusterMember,
    own: string,
    shared: string,
    value: string,
  ): Promise<Failure | null> {
    const put = (key: string) => ({
      request: { case: "requestPut" as const, value: { key: utf8(key), value: utf8(value) } },
    });
    const answer = await this.#call(member, methods.txn, {
      compare: [
        {
          key: utf8(shared),
          result: Compare_CompareResult.GREATER,
          target: Compare_CompareTarget.VERSION,
          targetUnion: { case: "version", value: 0n },
        },
      ],
      success: [put(own), put(shared)],
      failure: [put(shared)],
    });
    if (answer instanceof Failure) return answer;
    const revision = Number(answer.header!.revision);
    if (answer.succeeded) this.#acks.push({ revision, key: own, value });
    this.#acks.push({ revision, key: shared, value });
    return null;
  }

  async #delete(member: ClusterMember, key: string): Promise<Failure | null> {
    const answer = await this.#call(member, methods.deleteRange, { key: utf8(key) });
    if (answer instanceof Failure) return answer;
    if (answer.deleted > 0n) {
      this.#acks.push({ revision: Number(answer.header!.revision), key, value: null });
    }
    return null;
  }

  async #lease(member: ClusterMember, key: string, value: string): Promise<Failure | null> {
    const granted = await this.#call(member, methods.leaseGrant, { TTL: leaseTtlSeconds });
    if (granted instanceof Failure) return granted;
    const failure = await this.#put(member, key, value, granted.ID);
    if (failure !== null) return failure;
    const revoked = await this.#call(member, methods.leaseRevoke, { ID: granted.ID });
    return revoked instanceof Failure ? revoked : null;
  }

  async #read(member: ClusterMember, key: string): Promise<Failure | null> {
    const answer = await this.#call(member, methods.range, { key: utf8(key) });
    return answer instanceof Failure ? answer : null;
  }

  /** Over a fresh connection after each restart of the member. */
  #call<Q extends DescMessage, A extends DescMessage>(
    member: ClusterMember,
    method: Method<Q, A>,
    init: MessageInitShape<Q>,
  ): Promise<MessageShape<A> | Failure> {
    return this.#mixed.client(member).call(method, init, callMs);
  }

  #seenByAll(): number {
    const open = this.#watches.filter((watch) => watch.isOpen);
    return open.length === 0 ? 0 : Math.min(...open.map((watch) => watch.lastRevision));
  }

  /** Behind what every watch has seen. */
  async #compact(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      await delay(compactEveryMs); // the pace of compactions
      const revision = this.#seenByAll() - keptRevisions;
      if (revision <= this.#compacted) continue;
      const members = this.#mixed.running;
      const client = this.#mixed.client(members[i % members.length]!);
      const answer = await client.call(methods.compact, { revision: BigInt(revision) });
      if (!(answer instanceof Failure)) this.#compacted = revision;
    }
  }
}

function pairOf({ key, value }: { key: Uint8Array; value: Uint8Array }): [string, string] {
  return [toBinaryString(key), toBinaryString(value)];
}

function lineOf({ revision, key, value }: Seen): string {
  return `${String(revision)} ${key} ${value ?? "(deleted)"}`;
}

function linesOf(events: readonly Seen[]): string {
  return events.map(lineOf).join("\n");
}

function firstGap(revisions: readonly number[]): string {
  const at = revisions.findIndex((revision, i) => i > 0 && revision !== revisions[i - 1]! + 1);
  return at === -1 ? "" : `${String(revisions[at - 1])} then ${String(revisions[at])}`;
}
