import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { errLeaderChanged, errTimeout, type EtcdError } from "../../src/base/etcd-errors.ts";
import { decodeLeaseCheckpointRequest, encodeLeaseAnswer } from "../../src/codec/lease.ts";
import { Writer } from "../../src/codec/writer.ts";
import { FakeClock, FakeTurn } from "../watch/fakes.ts";
import { LeaseRouter } from "../../src/server/cluster-leases.ts";
import { leaseLimits, Lessor } from "../../src/server/lease/lessor.ts";
import type { Node } from "../../src/server/node.ts";
import type { PeerAnswer, PeerRequest } from "../../src/server/peer/peer-port.ts";
import type { Waiter } from "../../src/server/proposals.ts";
import type { ReadWaiter } from "../../src/server/read-gate.ts";

/** A member of a cluster of two whose confirmations, proposals and calls are answered by hand. */
class World {
  readonly clock = new FakeClock();
  readonly turn = new FakeTurn();
  readonly reads: ReadWaiter[] = [];
  readonly proposals: { body: Uint8Array; waiter: Waiter }[] = [];
  readonly calls: { request: PeerRequest; done: (e: Error | null, a: PeerAnswer) => void }[] = [];
  readonly told: (number | string)[] = [];
  readonly node = {
    isLeader: true,
    term: 2,
    leader: 1n,
    confState: { voters: [1n, 2n] },
    gate: { read: (waiter: ReadWaiter) => this.reads.push(waiter) },
  };
  readonly lessor: Lessor = new Lessor({
    ...{ clock: this.clock, turn: this.turn, minTtlSeconds: 2 },
    rows: { put: () => undefined, delete: () => undefined },
    proposeRevoke: () => undefined,
    proposeCheckpoints: (checkpoints) => {
      this.router.proposeCheckpoints(checkpoints);
    },
  });
  readonly router = new LeaseRouter({
    ...{ lessor: this.lessor, clock: this.clock, requestTimeoutMs: 1000 },
    node: this.node as unknown as Node,
    proposer: {
      proposeNow: (_field, body, waiter) => this.proposals.push({ body: body.slice(), waiter }),
    },
    peers: { call: (_id, request, done) => this.calls.push({ request, done }) },
  });

  renew(id: bigint): void {
    this.router.renew(id, (error, ttl) => this.told.push(error?.message ?? ttl));
  }

  confirm(error: EtcdError | null = null): void {
    for (const read of this.reads.splice(0)) read.ready(error);
  }

  /** Applies what was proposed, in order. */
  apply(): void {
    for (const { body, waiter } of this.proposals.splice(0)) {
      for (const { id, remainingTtl } of decodeLeaseCheckpointRequest(body)) {
        this.lessor.applyCheckpoint(id, remainingTtl);
      }
      waiter.applied({} as Parameters<Waiter["applied"]>[0]);
    }
  }

  answer(status: number, body: Uint8Array): void {
    this.calls.shift()!.done(null, { status, body });
  }
}

function leading(ttl: number): World {
  const world = new World();
  world.lessor.applyGrant(7n, ttl);
  world.lessor.promote(0);
  return world;
}

function answerOf(ttl: number): Uint8Array {
  const out = new Writer(16);
  encodeLeaseAnswer(out, { id: 7n, ttl, grantedTtl: 0, keys: [] });
  return out.copy();
}

test("a leader renews only after a majority confirmed it", () => {
  const world = leading(60);
  world.renew(7n);
  assert.deepEqual(world.told, []);
  world.confirm();
  assert.deepEqual(world.told, [60]);
});

test("a confirmation of an earlier term renews nothing (row 49)", () => {
  const world = leading(60);
  world.renew(7n);
  // Confirmed in term 2 but applied late: another member led in between, and revoked the lease.
  world.node.term = 4;
  world.confirm();
  assert.deepEqual(world.told, []);
  world.lessor.applyRevoke(7n);
  world.confirm();
  assert.deepEqual(world.told, [0]);
});

test("a leader that lost its place asks the new one", () => {
  const world = leading(60);
  world.renew(7n);
  Object.assign(world.node, { isLeader: false, leader: 2n });
  world.confirm(errLeaderChanged);
  world.clock.advance(50);
  world.answer(200, answerOf(60));
  assert.deepEqual(world.told, [60]);
});

test("a follower asks until the leader gives a verdict, or time is up", () => {
  const world = new World();
  Object.assign(world.node, { isLeader: false, leader: 2n });
  world.renew(7n);
  world.answer(400, utf8("not a primary lessor"));
  world.clock.advance(50);
  world.answer(404, utf8("lease not found"));
  assert.deepEqual(world.told, [0]);
  Object.assign(world.node, { leader: 0n });
  world.renew(7n);
  for (let waited = 0; waited <= 1000; waited += 50) world.clock.advance(50);
  assert.deepEqual(world.told, [0, errTimeout.message]);
});

test("what is left of a long lease goes into the log, and a renewal clears it first (row 48)", () => {
  const world = leading(3600);
  const rounds = leaseLimits.checkpointMs / leaseLimits.revokeRoundMs;
  for (let round = 0; round < 2 * rounds && world.proposals.length === 0; round++) {
    world.clock.advance(leaseLimits.revokeRoundMs);
  }
  assert.equal(world.proposals.length, 1);
  // The checkpoint is on its way: renewed at once, the lease would end early after an election.
  world.renew(7n);
  world.confirm();
  assert.equal(world.proposals.length, 2);
  assert.deepEqual(world.told, []);
  world.apply();
  world.confirm();
  assert.deepEqual(world.told, [3600]);
  world.lessor.demote();
  world.lessor.promote(0);
  assert.equal(world.lessor.timeToLive(7n)?.ttl, 3600);
});

test("after a change of leader a lease has what its checkpoint says (row 48)", () => {
  const world = leading(3600);
  for (let waitedMs = 0; waitedMs < 600_000; waitedMs += leaseLimits.revokeRoundMs) {
    world.clock.advance(leaseLimits.revokeRoundMs);
    world.apply();
  }
  world.lessor.demote();
  world.lessor.promote(0);
  const left = world.lessor.timeToLive(7n)!.ttl;
  assert.ok(left >= 3000 && left <= 3000 + 300, `600 s of 3600 are over; left: ${left}`);
});

test("a short lease is never put into the log", () => {
  const world = leading(300);
  for (let waited = 0; waited < 2500; waited++) world.clock.advance(leaseLimits.revokeRoundMs);
  assert.equal(world.proposals.length, 0);
});
