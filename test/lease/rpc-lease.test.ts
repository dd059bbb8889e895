import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { errNoSpace } from "../../src/base/etcd-errors.ts";
import type { EtcdError } from "../../src/base/etcd-errors.ts";
import { HeaderCodec } from "../../src/codec/header.ts";
import { decodeLeaseGrantRequest, decodeLeaseIdRequest } from "../../src/codec/lease.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { ApplyResult } from "../../src/server/apply/applier.ts";
import { requestField } from "../../src/server/apply/fields.ts";
import { leaseLimits, Lessor } from "../../src/server/lease/lessor.ts";
import { Answers } from "../../src/server/rpc/answers.ts";
import { createLeaseService } from "../../src/server/rpc/lease.ts";
import type { Proposer, ReadWaiter } from "../../src/server/rpc/services.ts";
import { LeaseRouter } from "../../src/server/cluster-leases.ts";
import type { Node } from "../../src/server/node.ts";
import { FakeCall } from "../watch/fake-call.ts";
import { FakeClock, FakeRandom, FakeTurn } from "../watch/fakes.ts";
import { fieldsOf, message, nested } from "../watch/messages.ts";

/** The service on a lessor whose entries are applied at once. */
class World {
  readonly clock = new FakeClock();
  readonly reads: ReadWaiter[] = [];
  readonly lessor = new Lessor({
    clock: this.clock,
    turn: new FakeTurn(),
    rows: { put: () => undefined, delete: () => undefined },
    minTtlSeconds: 2,
    proposeCheckpoints: () => undefined,
    proposeRevoke: () => undefined,
  });
  revision = 5;
  quotaError: EtcdError | null = null;
  /** What leads, and its only voter. */
  readonly node = { isLeader: true, leader: 1n, confState: { voters: [1n] } };
  readonly router = new LeaseRouter({
    ...{ lessor: this.lessor, clock: this.clock, requestTimeoutMs: 7000 },
    node: Object.assign(this.node, {
      gate: { read: (waiter: ReadWaiter) => void this.reads.push(waiter) },
    }) as unknown as Node,
    proposer: {
      proposeNow: (field, body, waiter) => {
        this.apply(field, body, waiter);
      },
    },
    peers: {
      call: () => {
        throw new Error("there is no other member");
      },
    },
  });
  readonly methods = createLeaseService({
    lessor: this.lessor,
    proposer: {
      propose: (field, body, waiter) => {
        this.apply(field, body, waiter);
      },
    },
    reads: { read: (waiter) => void this.reads.push(waiter) },
    leases: this.router,
    answers: new Answers(new HeaderCodec(11n, 22n), () => 3),
    random: new FakeRandom(9),
    currentRevision: () => this.revision,
    checkQuota: () => this.quotaError,
  });

  call(name: string, bytes: Uint8Array = new Uint8Array(0)): FakeCall {
    const call = this.open(name);
    call.receive(bytes);
    this.answerReads();
    return call;
  }

  open(name: string): FakeCall {
    return new FakeCall(this.methods.find((m) => m.path === `/etcdserverpb.Lease/${name}`)!);
  }

  answerReads(error: EtcdError | null = null): void {
    for (const read of this.reads.splice(0)) read.ready(error);
  }

  private apply(field: number, body: Uint8Array, waiter: Parameters<Proposer["propose"]>[2]): void {
    const out = new Writer();
    let error: EtcdError | null = null;
    if (field === requestField.leaseGrant) {
      const { id, ttl } = decodeLeaseGrantRequest(body);
      const granted = this.lessor.applyGrant(id, ttl);
      if (typeof granted !== "number") error = granted;
      else out.raw(message([2, id], [3, BigInt(granted)]));
    } else {
      const keys = this.lessor.applyRevoke(decodeLeaseIdRequest(body).id);
      if (!Array.isArray(keys)) error = keys;
    }
    const result: Partial<ApplyResult> = { error, revision: this.revision, body: out };
    waiter.applied(result as ApplyResult);
  }
}

/** [revision, id, ttl, grantedTtl, keys...] of an answer. */
function show(bytes: Uint8Array): unknown[] {
  const fields = fieldsOf(bytes);
  const header = nested(fields[1]![0]);
  assert.deepEqual([header[1], header[2], header[4]], [[11n], [22n], [3n]]);
  return [header[3]?.[0], fields[2]?.[0], fields[3]?.[0], fields[4]?.[0], ...(fields[5] ?? [])];
}

const one = (call: FakeCall) => show(call.messages[0]!);
const grant = (id: bigint, ttl: bigint) => message([1, ttl], [2, id]);

test("a grant answers id and TTL; id 0 lets the server pick a positive one", () => {
  const world = new World();
  assert.deepEqual(one(world.call("LeaseGrant", grant(-7n, 1n))), [5n, -7n, 2n, undefined]);
  const picked = one(world.call("LeaseGrant", message([1, 60n])));
  assert.ok((picked[1] as bigint) > 0n);
  assert.equal(picked[2], 60n);
  assert.equal(world.lessor.size, 2);
});

test("errors of grant and revoke are etcd's", () => {
  const world = new World();
  world.call("LeaseGrant", grant(7n, 60n));
  const status = (name: string, bytes: Uint8Array) => world.call(name, bytes).status;
  assert.deepEqual(status("LeaseGrant", grant(7n, 60n)), {
    code: 9,
    message: "etcdserver: lease already exists",
  });
  assert.deepEqual(status("LeaseGrant", grant(8n, 9_000_000_001n)), {
    code: 11,
    message: "etcdserver: too large lease TTL",
  });
  assert.deepEqual(status("LeaseRevoke", message([1, 8n])), {
    code: 5,
    message: "etcdserver: requested lease not found",
  });
  assert.deepEqual(status("LeaseRevoke", message([1, 7n])), { code: 0, message: "" });
  world.quotaError = errNoSpace;
  assert.equal(status("LeaseGrant", grant(9n, 60n))?.code, 8);
});

test("time to live shows the rest, the grant and the keys asked for; missing is -1", () => {
  const world = new World();
  world.lessor.promote(0);
  world.call("LeaseGrant", grant(7n, 60n));
  world.lessor.attach(7n, utf8("k"));
  world.clock.advance(10_500);
  const ask = (...fields: Parameters<typeof message>) =>
    one(world.call("LeaseTimeToLive", message(...fields)));
  assert.deepEqual(ask([1, 7n]), [5n, 7n, 49n, 60n]);
  assert.deepEqual(ask([1, 7n], [2, 1n]), [5n, 7n, 49n, 60n, "k"]);
  assert.deepEqual(ask([1, 8n], [2, 1n]), [5n, 8n, -1n, undefined]);
  world.lessor.demote();
  const call = world.call("LeaseTimeToLive", message([1, 7n]));
  assert.equal(call.status?.message, "etcdserver: leader changed");
});

test("leases lists ids, soonest expiry first", () => {
  const world = new World();
  world.lessor.promote(0);
  for (const [id, ttl] of [
    [1n, 30n],
    [-2n, 10n],
    [3n, 20n],
  ] as const) {
    world.call("LeaseGrant", grant(id, ttl));
  }
  const fields = fieldsOf(world.call("LeaseLeases").messages[0]!);
  const ids = fields[2]!.map((lease) => nested(lease)[1]![0]);
  assert.deepEqual(ids, [-2n, 3n, 1n]);
});

test("keep-alive answers each request in order; a missing lease is TTL 0 and no error", () => {
  const world = new World();
  world.lessor.promote(0);
  world.call("LeaseGrant", grant(1n, 30n));
  const call = world.open("LeaseKeepAlive");
  for (const id of [1n, 9n, 1n]) call.receive(message([1, id]));
  assert.equal(call.messages.length, 1);
  world.revision = 6;
  world.answerReads();
  assert.deepEqual(call.messages.map(show), [
    [5n, 1n, 30n, undefined],
    [5n, 9n, undefined, undefined],
    [6n, 1n, 30n, undefined],
  ]);
  assert.equal(call.status, null);
  call.halfClose();
  assert.deepEqual(call.status, { code: 0, message: "" });
});

test("etcd 13932: a renewal that comes before the grant was applied waits for it", () => {
  const world = new World();
  world.lessor.promote(0);
  const call = world.open("LeaseKeepAlive").receive(message([1, 1n]));
  world.lessor.applyGrant(1n, 30);
  world.answerReads();
  assert.deepEqual(call.messages.map(show), [[5n, 1n, 30n, undefined]]);
});

test("etcd 20615: an expired lease's renewal waits for the revoke, then says TTL 0", () => {
  const world = new World();
  world.lessor.promote(0);
  world.call("LeaseGrant", grant(1n, 5n));
  world.call("LeaseGrant", grant(2n, 50n));
  world.clock.advance(5000);
  const call = world.open("LeaseKeepAlive");
  call.receive(message([1, 1n])).receive(message([1, 2n]));
  call.halfClose();
  assert.deepEqual([call.messages.length, call.status], [0, null]);
  world.call("LeaseRevoke", message([1, 1n]));
  assert.deepEqual(call.messages.map(show), [
    [5n, 1n, undefined, undefined],
    [5n, 2n, 50n, undefined],
  ]);
  assert.equal(call.status?.code, 0);
});

test("a keep-alive stream ends when this member does not lead, before or while waiting", () => {
  const world = new World();
  const early = world.open("LeaseKeepAlive").receive(message([1, 1n]));
  assert.deepEqual(early.status, { code: 2, message: "not a primary lessor" });
  world.lessor.promote(0);
  world.call("LeaseGrant", grant(1n, 5n));
  world.clock.advance(5000);
  const waiting = world
    .open("LeaseKeepAlive")
    .receive(message([1, 1n]))
    .receive(message([1, 1n]));
  world.lessor.demote();
  assert.deepEqual(waiting.status, { code: 2, message: "not a primary lessor" });
  assert.equal(waiting.messages.length, 0);
});

test("a cancelled keep-alive stream takes its waiting renewal back, and its queue has a bound", () => {
  const world = new World();
  world.lessor.promote(0);
  world.call("LeaseGrant", grant(1n, 5n));
  world.clock.advance(5000);
  const cancelled = world.open("LeaseKeepAlive").receive(message([1, 1n]));
  const flooding = world.open("LeaseKeepAlive");
  for (let i = 0; i <= leaseLimits.keepAliveQueueMax + 1; i++) flooding.receive(message([1, 1n]));
  assert.equal(flooding.status?.code, 8);
  cancelled.cancel();
  world.call("LeaseRevoke", message([1, 1n]));
  assert.equal(cancelled.messages.length + flooding.messages.length, 0);
});
