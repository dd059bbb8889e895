// A server process and the model side by side: random requests one after the other, restarts in
// between, watches running all the time. MODEL_STEPS and MODEL_SEED ask for more.
import assert from "node:assert/strict";
import { test } from "node:test";

import { EtcdError } from "../../src/base/etcd-errors.ts";
import { createRandom } from "../../src/base/random.ts";
import { quorateProgram, startServer, type Server } from "../conformance/servers.ts";
import { EtcdModel, type ModelResponse } from "../model/etcd-model.ts";
import type { TrueEvent } from "../model/watch-rules.ts";
import { Failure, methods, TestClient } from "./client.ts";
import * as requests from "./model-requests.ts";
import { leaseIds, RequestMaker } from "./model-requests.ts";
import { Watches } from "./watches.ts";

const steps = Number(process.env["MODEL_STEPS"] ?? 600);
const stepsPerLife = 150;
const seed = Number(process.env["MODEL_SEED"] ?? 1);
const ttlSeconds = 100_000n; // nothing expires here

interface ErrorForm {
  readonly code: number;
  readonly message: string;
}

function formOf(outcome: EtcdError | Failure | null): ErrorForm | null {
  return outcome === null ? null : { code: outcome.code, message: outcome.message };
}

class Comparison {
  readonly model = new EtcdModel();
  readonly truth: TrueEvent[] = [];
  readonly make: RequestMaker;
  readonly #server: Server;
  #client: TestClient;
  #watches: Watches;
  /** Value of each live key, for the events' prev. */
  readonly #live = new Map<string, string>();

  constructor(server: Server, make: RequestMaker) {
    this.#server = server;
    this.make = make;
    this.#client = new TestClient(server.endpoint);
    this.#watches = new Watches(this.#client);
  }

  async step(): Promise<void> {
    const kind = this.make.below(100);
    if (kind < 30) await this.#put();
    else if (kind < 45) await this.#range();
    else if (kind < 55) await this.#delete();
    else if (kind < 75) await this.#txn();
    else if (kind < 80) await this.#compact();
    else if (kind < 84) await this.#grant();
    else if (kind < 87) await this.#revoke();
    else if (kind < 90) await this.#timeToLive();
    else if (kind < 98) this.#watch();
    else this.#watches.cancel(this.make.below(20));
    this.#learn();
  }

  /** Ends the process; everything answered is there afterwards. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.settle();
    const hash = await this.#hash();
    this.#watches.close();
    this.#client.close();
    await this.#server.end(signal);
    await this.#server.restart();
    this.#client = new TestClient(this.#server.endpoint);
    this.#watches = new Watches(this.#client);
    assert.deepEqual(await this.#hash(), hash);
    for (let revision = Math.max(1, this.model.compactRevision); ; revision++) {
      await this.#rangeAll(revision);
      if (revision >= this.model.revision) return;
    }
  }

  async settle(): Promise<void> {
    const { revision: settledRevision, compactRevision } = this.model;
    const found = await this.#watches.settled({
      ...{ events: this.truth, settledRevision, compactRevision },
    });
    assert.deepEqual(found, []);
  }

  close(): void {
    this.#watches.close();
    this.#client.close();
  }

  async #hash(): Promise<unknown> {
    const { hash, compactRevision, hashRevision } = await this.#client.must(methods.hashKv, {});
    return { hash, compactRevision, hashRevision };
  }

  async #range(): Promise<void> {
    const request = this.make.range(this.model.revision);
    const answer = await this.#client.call(methods.range, requests.rangeInit(request));
    this.#same(request, this.model.range(request), answer, requests.rangeOf);
  }

  async #rangeAll(revision: number): Promise<void> {
    const key = Uint8Array.of(0);
    const request = { ...this.make.range(1), key, rangeEnd: key, revision };
    const answer = await this.#client.call(methods.range, requests.rangeInit(request));
    this.#same(request, this.model.range(request), answer, requests.rangeOf);
  }

  async #put(): Promise<void> {
    const request = this.make.put();
    const answer = await this.#client.call(methods.put, requests.putInit(request));
    this.#same(request, this.model.put(request), answer, requests.putOf);
  }

  async #delete(): Promise<void> {
    const request = this.make.deleteRange();
    const answer = await this.#client.call(methods.deleteRange, requests.deleteInit(request));
    this.#same(request, this.model.deleteRange(request), answer, requests.deleteOf);
  }

  async #txn(): Promise<void> {
    const request = this.make.txn(this.model.revision);
    const answer = await this.#client.call(methods.txn, requests.txnInit(request));
    this.#same(request, this.model.txn(request), answer, requests.txnOf);
  }

  async #compact(): Promise<void> {
    const { make, model } = this;
    // Seldom everything, so that there is history to read.
    const revision = model.revision + 1 - make.below(60);
    const init = { revision: BigInt(revision), physical: make.once(2) };
    const answer = await this.#client.call(methods.compact, init);
    const expected = model.compact(revision);
    assert.deepEqual(formOf(answer instanceof Failure ? answer : null), formOf(expected));
  }

  async #grant(): Promise<void> {
    const id = this.make.pick(leaseIds);
    const answer = await this.#client.call(methods.leaseGrant, { ID: id, TTL: ttlSeconds });
    const expected = this.model.leaseGrant(id);
    assert.deepEqual(formOf(answer instanceof Failure ? answer : null), formOf(expected));
  }

  async #revoke(): Promise<void> {
    const id = this.make.pick(leaseIds);
    const answer = await this.#client.call(methods.leaseRevoke, { ID: id });
    const expected = this.model.leaseRevoke(id);
    assert.deepEqual(formOf(answer instanceof Failure ? answer : null), formOf(expected));
  }

  async #timeToLive(): Promise<void> {
    const id = this.make.pick(leaseIds);
    const { leases } = await this.#client.must(methods.leases, {});
    assert.deepEqual(new Set(leases.map((l) => l.ID)), new Set(this.model.leases.keys()));
    const { TTL, grantedTTL, keys } = await this.#client.must(methods.timeToLive, {
      ID: id,
      keys: true,
    });
    const attached = this.model.leases.get(id);
    assert.equal(grantedTTL, attached === undefined ? 0n : ttlSeconds);
    assert.equal(TTL > 0n, attached !== undefined);
    assert.deepEqual(
      new Set(keys.map((key) => Buffer.from(key).toString("latin1"))),
      attached ?? new Set(),
    );
  }

  #watch(): void {
    const { make, model } = this;
    this.#watches.create({
      start: make.pick(["a", "b", "\0"]),
      end: make.pick([undefined, null, "c"]),
      startRevision: make.once(2) ? 0 : Math.max(1, model.revision + 3 - make.below(40)),
      noPut: make.once(6),
      noDelete: make.once(6),
      prevKv: make.once(2),
      fragment: make.once(2),
    });
  }

  #same<A>(
    request: unknown,
    expected: ModelResponse | EtcdError,
    answer: A | Failure,
    form: (answer: A) => ModelResponse,
  ): void {
    const actual = answer instanceof Failure ? formOf(answer) : form(answer);
    const wanted = expected instanceof EtcdError ? formOf(expected) : expected;
    try {
      assert.deepEqual(actual, wanted);
    } catch (error) {
      throw new Error("the answer differs from the model's", { cause: { error, request } });
    }
  }

  /** Turns the model's new events into what watches must see. */
  #learn(): void {
    for (const { isDelete, revision, kv } of this.model.events.slice(this.truth.length)) {
      const prev = this.#live.get(kv.key) ?? null;
      this.truth.push({ revision, key: kv.key, isDelete, value: kv.value, prev });
      if (isDelete) this.#live.delete(kv.key);
      else this.#live.set(kv.key, kv.value);
    }
  }
}

test(`a server answers as the model does through restarts (seed ${String(seed)})`, async () => {
  const flags = ["--log-level", "warn"];
  const server = await startServer({ label: "model", program: quorateProgram, flags });
  const comparison = new Comparison(server, new RequestMaker(createRandom(seed)));
  try {
    for (let step = 1; step <= steps; step++) {
      await comparison.step();
      if (step % stepsPerLife > 0) continue;
      const isKill = comparison.make.once(2);
      await comparison.restart(isKill ? "SIGKILL" : "SIGTERM");
    }
    await comparison.settle();
  } catch (error) {
    throw new Error(server.log().slice(-2000), { cause: error });
  } finally {
    comparison.close();
    await server.close();
  }
});
