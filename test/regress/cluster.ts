/** A simulated cluster (test/sim/world) without faults of its own, for tests told step by step. */
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { createRandom } from "../../src/base/random.ts";
import type { KvRequest, KvResponse } from "../check/history.ts";
import { decodeResponse, encodeRequest } from "../sim/world/codec.ts";
import { drawOptions, type SimOptions } from "../sim/world/options.ts";
import type { SimProcess } from "../sim/world/process.ts";
import { Rpc } from "../sim/world/rpc.ts";
import { World } from "../sim/world/world.ts";

const untilMs = 30_000;

/** One request and what came of it. */
export interface Asked {
  /** null: no answer, or not yet. */
  bytes: Uint8Array | null;
  /** null: the call is under way. */
  error: string | null;
}

export class Cluster {
  readonly world: World;
  readonly #random = createRandom(5);
  /** Ends what the checks watch of all raft nodes. */
  readonly #release: () => void;

  constructor(options: Partial<SimOptions> = {}) {
    this.world = new World({
      ...drawOptions(1, 0, createRandom(1)),
      ...{ members: 3, clients: 0, watchers: 0, leaseClients: 0, faults: new Set() },
      ...{ lossPerMille: 0, duplicatePerMille: 0, lostReplyPerMille: 0, delayMs: 1 },
      ...{ heartbeatMs: 100, electionMs: 1000, batchIntervalMs: 100, catchUpEntries: 5000 },
      ...options,
    });
    this.#release = this.world.checks.raft.install();
    for (const member of this.members) member.start();
    this.until("all members serve", () => this.members.every((one) => one.methods !== null));
  }

  [Symbol.dispose](): void {
    this.#release();
  }

  get members(): readonly SimProcess[] {
    return this.world.processes;
  }

  /** The member that leads in the newest term. */
  get leader(): SimProcess {
    const leaders = this.members.filter((one) => one.core?.node.isLeader === true);
    leaders.sort((a, b) => b.core!.node.term - a.core!.node.term);
    assert.ok(leaders[0] !== undefined, "nobody leads");
    return leaders[0];
  }

  get followers(): readonly SimProcess[] {
    const { leader } = this;
    return this.members.filter((one) => one !== leader);
  }

  until(what: string, isSo: () => boolean): void {
    const { scheduler, violations, checks } = this.world;
    const until = scheduler.now + untilMs;
    assert.ok(scheduler.runUntil(isSo, until), `never: ${what} ${violations.join()}`);
    assert.deepEqual(checks.violations, []);
  }

  pass(ms: number): void {
    const { scheduler } = this.world;
    scheduler.runUntil(() => false, scheduler.now + ms);
    assert.deepEqual(this.world.checks.violations, []);
  }

  /** Sends a unary request. */
  ask(member: SimProcess, path: string, bytes: Uint8Array): Asked {
    const asked: Asked = { bytes: null, error: null };
    const { scheduler, life, mark } = this.world;
    const parts = { scheduler, mark, world: life, random: this.#random };
    const rpc = new Rpc({ ...parts, lostReplyPerMille: () => 0 }, member, path, {
      message: (answer) => {
        asked.bytes = answer;
      },
      end: (code, message) => {
        asked.error ??= code === 0 ? "" : message;
      },
    });
    rpc.send(bytes, true);
    return asked;
  }

  askKv(member: SimProcess, request: KvRequest): Asked {
    const { path, bytes } = encodeRequest(request);
    return this.ask(member, path, bytes);
  }

  /** The answer to a request that must succeed. */
  kv(member: SimProcess, request: KvRequest): KvResponse {
    const asked = this.askKv(member, request);
    this.until("an answer", () => asked.error !== null);
    assert.equal(asked.error, "");
    return decodeResponse(request, asked.bytes!);
  }

  /** The error of a request that is refused; "" if it was not. */
  refusal(member: SimProcess, request: KvRequest): string {
    const asked = this.askKv(member, request);
    this.until("an answer", () => asked.error !== null);
    return asked.error!;
  }

  call<I extends Message, O extends Message>(
    member: SimProcess,
    path: string,
    types: readonly [GenMessage<I>, GenMessage<O>],
    request: MessageInitShape<GenMessage<I>>,
  ): MessageShape<GenMessage<O>> {
    const bytes = toBinary(types[0], create(types[0], request));
    const asked = this.ask(member, path, bytes);
    this.until("an answer", () => asked.bytes !== null || asked.error !== null);
    assert.ok(asked.bytes !== null, `${path}: ${asked.error}`);
    return fromBinary(types[1], asked.bytes);
  }

  put(member: SimProcess, key: string, value: string): void {
    this.kv(member, { kind: "put", key, value });
  }

  /** Value of a key as a linearizable read gives it. */
  get(member: SimProcess, key: string): string | null {
    const answer = this.kv(member, { kind: "range", key });
    return answer.kind === "range" ? (answer.kvs[0]?.value ?? null) : null;
  }

  /** Cuts a member off from all others, or joins it again. */
  isolate(member: SimProcess, isCut = true): void {
    for (const other of this.members) {
      if (other === member) continue;
      this.world.network.setCut(member.id, other.id, isCut);
      this.world.network.setCut(other.id, member.id, isCut);
    }
  }

  /** The power of these members goes, at once. */
  crash(...members: readonly SimProcess[]): void {
    for (const member of members) member.crash();
  }

  start(...members: readonly SimProcess[]): void {
    for (const member of members) if (!member.isRunning) member.start();
    this.until("members serve", () => members.every((one) => one.methods !== null));
  }

  /** All that run have applied the same, and it is durable. */
  settle(): void {
    this.until("all have the same", () => {
      const cores = this.members.flatMap(({ core }) => (core === null ? [] : [core]));
      const commit = Math.max(...cores.map(({ node }) => node.commitIndex));
      return cores.every(
        ({ node, state }) => node.appliedIndex === commit && state.writer.durableIndex === commit,
      );
    });
  }

  /** HashKV of every member at the present revision, which must be the same. */
  hashes(): readonly number[] {
    this.settle();
    return this.members.map((member) => {
      let hash = 0;
      member.core!.state.store.hashKv(0, (outcome) => {
        assert.ok("hash" in outcome);
        hash = outcome.hash;
      });
      this.until("a hash", () => hash !== 0);
      return hash;
    });
  }

  checkEqual(): void {
    const hashes = this.hashes();
    assert.deepEqual(
      hashes.map((hash) => hash === hashes[0]),
      hashes.map(() => true),
      `hashes ${hashes.join()}`,
    );
  }
}
