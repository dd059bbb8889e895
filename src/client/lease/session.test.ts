import assert from "node:assert/strict";
import { test } from "node:test";

import { grpcCode } from "../../base/grpc-code.ts";
import type { LeaseGrant } from "../../codec/client/lease.ts";
import { emptyHeader } from "../../codec/client/header.ts";
import { ScriptedCaller, HandClock } from "../../../test/client/scripted-caller.ts";
import { CanceledError, fromStatus, LeaseNotFoundError, SessionExpiredError } from "../errors.ts";
import { LeaseArea } from "./lease-area.ts";
import { Session } from "./session.ts";

const service = "/etcdserverpb.Lease/";

class Rig {
  readonly caller = new ScriptedCaller();
  readonly clock = new HandClock();
  readonly lease = new LeaseArea(this.caller, this.clock);

  constructor() {
    this.caller.answers.set(`${service}LeaseGrant`, (request) => {
      const { ttlSeconds, id } = request as { ttlSeconds: number; id: bigint };
      return { header: emptyHeader, id: id === 0n ? 5n : id, ttlSeconds };
    });
    this.caller.answers.set(`${service}LeaseRevoke`, () => ({ header: emptyHeader }));
  }

  paths(): string[] {
    return this.caller.calls.map(({ path }) => path.slice(service.length));
  }
}

test("a session grants a lease, renews it and revokes it when closed", async () => {
  const rig = new Rig();
  const session = await Session.create(rig, { ttlSeconds: 9 });
  assert.equal(session.leaseId, 5n);
  assert.deepEqual(rig.caller.stream().sent, [5n]);
  assert.equal(session.isOver, false);
  await session.close();
  assert.equal(session.isOver, true);
  assert.ok(session.lost.reason instanceof CanceledError);
  assert.deepEqual(rig.paths(), ["LeaseGrant", "LeaseRevoke"]);
  assert.equal(rig.clock.pending, 0);
});

test("a session is lost when its lease was not renewed for its TTL", async () => {
  const rig = new Rig();
  const session = await Session.create(rig, { ttlSeconds: 9 });
  rig.clock.advance(8_999);
  assert.equal(session.isOver, false);
  rig.clock.advance(1);
  assert.ok(session.lost.reason instanceof SessionExpiredError);
});

test("a session on a lease that is gone already is over at the first answer", async () => {
  const rig = new Rig();
  const session = await Session.create(rig, { leaseId: 77n });
  rig.caller.stream<bigint, LeaseGrant>().answer({ header: emptyHeader, id: 77n, ttlSeconds: 0 });
  assert.equal(session.isOver, true);
  rig.caller.answers.set(`${service}LeaseRevoke`, () => {
    throw fromStatus(grpcCode.notFound, "etcdserver: requested lease not found");
  });
  await session.close(); // what is gone need not be revoked
});

test("an orphaned session leaves its lease to its TTL", async () => {
  const rig = new Rig();
  const session = await Session.create(rig, { ttlSeconds: 9 });
  session.orphan();
  assert.equal(session.isOver, true);
  assert.deepEqual(rig.paths(), ["LeaseGrant"]);
  assert.equal(rig.clock.pending, 0);
});

test("renewing once answers the TTL, or that the lease is not found", async () => {
  const rig = new Rig();
  const answer = { header: emptyHeader, id: 5n, ttlSeconds: 9 };
  const renewed = rig.lease.keepAliveOnce(5n);
  rig.caller.stream<bigint, LeaseGrant>().answer(answer);
  assert.deepEqual(await renewed, answer);
  const missing = rig.lease.keepAliveOnce(6n);
  rig.caller.stream<bigint, LeaseGrant>().answer({ ...answer, id: 6n, ttlSeconds: 0 });
  await assert.rejects(missing, LeaseNotFoundError);
});

test("renewing once tries again where a stream breaks, thrice at most", async () => {
  const rig = new Rig();
  const renewed = rig.lease.keepAliveOnce(5n);
  const failed = assert.rejects(renewed, /no leader/);
  for (let tries = 0; tries < 3; tries++) {
    assert.equal(rig.caller.streams.length, tries + 1);
    rig.caller.stream().fail(fromStatus(grpcCode.unavailable, "etcdserver: no leader"));
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
  await failed;
});

test("a signal that has fired keeps nothing alive, one that fires ends it", () => {
  const rig = new Rig();
  rig.lease.keepAlive(5n, { signal: AbortSignal.abort() });
  assert.equal(rig.caller.streams.length, 0);
  const controller = new AbortController();
  const handle = rig.lease.keepAlive(5n, { signal: controller.signal });
  assert.equal(rig.caller.streams.length, 1);
  controller.abort();
  assert.equal(rig.caller.stream().isHalfClosed, true);
  assert.equal(handle.lost.aborted, false);
});
