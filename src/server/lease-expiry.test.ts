import assert from "node:assert/strict";
import { test } from "node:test";
import { errLeaderChanged } from "../base/etcd-errors.ts";
import { decodeLeaseIdRequest } from "../codec/lease.ts";
import { LeaseExpiry } from "./lease-expiry.ts";
import type { ReadGate, ReadWaiter } from "./read-gate.ts";

/** A leader whose confirmations are answered by hand. */
class World {
  readonly asked: ReadWaiter[] = [];
  readonly revoked: bigint[] = [];
  readonly node = {
    isLeader: true,
    term: 5,
    gate: { read: (waiter: ReadWaiter) => this.asked.push(waiter) } as unknown as ReadGate,
  };
  readonly #atEnd: (() => void)[] = [];
  readonly expiry = new LeaseExpiry({
    node: this.node,
    proposer: { proposeNow: (_field, body) => this.revoked.push(decodeLeaseIdRequest(body).id) },
    turn: {
      atEnd: (run) => this.#atEnd.push(run),
      atFlush: (run) => this.#atEnd.push(run),
      next: (run) => this.#atEnd.push(run),
    },
  });

  endTurn(): void {
    for (const run of this.#atEnd.splice(0)) run();
  }
}

test("leases found in one turn are revoked after one confirmation that began later", () => {
  const world = new World();
  world.expiry.expired(1n);
  world.expiry.expired(2n);
  assert.equal(world.asked.length, 0);
  world.endTurn();
  assert.equal(world.asked.length, 1);
  assert.deepEqual(world.revoked, []);
  world.asked[0]!.ready(null);
  assert.deepEqual(world.revoked, [1n, 2n]);
});

test("etcd-15247 (row 47): what a former leader found is dropped", () => {
  for (const lose of [
    (world: World) => (world.node.isLeader = false),
    // It leads again, but what was found belongs to another term.
    (world: World) => (world.node.term = 6),
  ]) {
    const before = new World();
    before.expiry.expired(1n);
    lose(before);
    before.endTurn();
    assert.equal(before.asked.length, 0);
    const meanwhile = new World();
    meanwhile.expiry.expired(1n);
    meanwhile.endTurn();
    lose(meanwhile);
    meanwhile.asked[0]!.ready(null);
    assert.deepEqual(meanwhile.revoked, []);
  }
});

test("without confirmation nothing is revoked, and the next find asks again", () => {
  const world = new World();
  world.expiry.expired(1n);
  world.endTurn();
  world.asked[0]!.ready(errLeaderChanged);
  world.expiry.expired(1n);
  world.endTurn();
  world.asked[1]!.ready(null);
  assert.deepEqual(world.revoked, [1n]);
});
