import assert from "node:assert/strict";
import { test } from "node:test";

import { grpcCode } from "../../base/grpc-code.ts";
import type { LeaseGrant } from "../../codec/client/lease.ts";
import { emptyHeader } from "../../codec/client/header.ts";
import {
  ScriptedCaller,
  HandClock,
  type ScriptedStream,
} from "../../../test/client/scripted-caller.ts";
import { fromStatus } from "../errors.ts";
import { KeepAliveHandle } from "./keep-alive.ts";
import { Renewer } from "./renewer.ts";

const ttlSeconds = 6;
const ttlMs = 6_000;
const broken = fromStatus(grpcCode.unavailable, "connection lost");

class Rig {
  readonly caller = new ScriptedCaller();
  readonly clock = new HandClock();
  readonly renewer = new Renewer(this.caller, this.clock, () => 1);

  get stream(): ScriptedStream<bigint, LeaseGrant> {
    return this.caller.stream<bigint, LeaseGrant>();
  }

  keep(id: bigint, known = true): KeepAliveHandle {
    const handle = new KeepAliveHandle(id, (stopped) => {
      this.renewer.remove(stopped);
    });
    this.renewer.add(handle, known ? { ttlMs, askedAt: this.clock.now() } : undefined);
    return handle;
  }

  answer(id: bigint, ttl = ttlSeconds): void {
    this.stream.answer({ header: emptyHeader, id, ttlSeconds: ttl });
  }
}

test("a lease is renewed at once, then each third of its TTL", () => {
  const rig = new Rig();
  const handle = rig.keep(7n);
  assert.deepEqual(rig.stream.sent, [7n]);
  rig.answer(7n);
  rig.clock.advance(ttlMs / 3 - 1);
  assert.deepEqual(rig.stream.sent, [7n]);
  rig.clock.advance(1);
  assert.deepEqual(rig.stream.sent, [7n, 7n]);
  assert.equal(handle.lost.aborted, false);
});

test("ten thousand leases share one stream", () => {
  const rig = new Rig();
  for (let id = 1n; id <= 10_000n; id++) rig.keep(id);
  assert.equal(rig.caller.streams.length, 1);
  assert.equal(rig.stream.sent.length, 10_000);
  for (let id = 1n; id <= 10_000n; id++) rig.answer(id);
  rig.clock.advance(ttlMs / 3);
  assert.equal(rig.stream.sent.length, 20_000);
});

test("two holders of a lease share its renewals, and one may stop", () => {
  const rig = new Rig();
  const first = rig.keep(7n);
  const second = rig.keep(7n);
  rig.answer(7n);
  first.stop();
  rig.clock.advance(ttlMs / 3);
  assert.deepEqual(rig.stream.sent, [7n, 7n]);
  second.stop();
  assert.equal(rig.stream.isHalfClosed, true);
  assert.equal(rig.clock.pending, 0);
  assert.equal(second.lost.aborted, false);
});

test("a lease is lost one TTL after the last answered request, not before", () => {
  const rig = new Rig();
  const handle = rig.keep(7n);
  rig.clock.advance(100);
  rig.answer(7n); // asked at 0
  rig.stream.fail(broken);
  for (let at = 100; at < ttlMs - 1; at += 100) {
    rig.clock.advance(Math.min(100, ttlMs - 1 - at));
    if (!rig.stream.isCanceled) rig.stream.fail(broken);
  }
  assert.equal(rig.clock.now(), ttlMs - 1);
  assert.equal(handle.lost.aborted, false);
  rig.clock.advance(1);
  assert.equal(handle.lost.aborted, true);
  assert.match(String(handle.lost.reason), /lease 7 was not renewed for 6 s/);
  assert.equal(rig.clock.pending, 0);
});

test("before any answer the TTL counts from the call of the grant", () => {
  const rig = new Rig();
  rig.clock.advance(1_000);
  const handle = new KeepAliveHandle(7n, () => undefined);
  rig.renewer.add(handle, { ttlMs, askedAt: 500 });
  rig.clock.advance(ttlMs - 501);
  assert.equal(handle.lost.aborted, false);
  rig.clock.advance(1);
  assert.equal(handle.lost.aborted, true);
});

test("a lease of unknown TTL is lost when there is no first answer for ten seconds", () => {
  const rig = new Rig();
  const handle = rig.keep(7n, false);
  rig.clock.advance(9_999);
  assert.equal(handle.lost.aborted, false);
  rig.clock.advance(1);
  assert.equal(handle.lost.aborted, true);
});

test("a lease that the server does not know is lost at once", async () => {
  const rig = new Rig();
  const handle = rig.keep(7n);
  const kept = rig.keep(8n);
  rig.answer(7n, 0);
  assert.equal(handle.lost.aborted, true);
  assert.match(String(handle.lost.reason), /requested lease not found/);
  assert.equal(kept.lost.aborted, false);
  const seen = [];
  for await (const answer of handle) seen.push(answer);
  assert.deepEqual(seen, []);
});

test("after a broken stream all that was asked is asked again, once", () => {
  const rig = new Rig();
  rig.keep(1n);
  rig.keep(2n);
  rig.answer(1n);
  rig.stream.fail(broken);
  assert.equal(rig.caller.streams.length, 1);
  rig.clock.advance(25);
  assert.equal(rig.caller.streams.length, 2);
  assert.deepEqual(rig.stream.sent, [2n]); // 1 was answered and rests
  rig.answer(2n);
  rig.clock.advance(ttlMs / 3 - 25);
  assert.deepEqual(rig.stream.sent, [2n, 1n]);
});

test("what an old stream answers late is not heard", () => {
  const rig = new Rig();
  const handle = rig.keep(7n);
  const old = rig.stream;
  old.fail(broken);
  rig.clock.advance(25);
  old.answer({ header: emptyHeader, id: 7n, ttlSeconds: 0 });
  assert.equal(handle.lost.aborted, false);
});

test("a lease that comes due while there is no stream is asked when there is one", () => {
  const rig = new Rig();
  rig.keep(7n);
  rig.answer(7n);
  rig.clock.advance(ttlMs / 3 - 10);
  rig.stream.fail(broken);
  rig.clock.advance(10); // due, but the stream opens after 25 ms
  assert.equal(rig.caller.streams.length, 1);
  rig.clock.advance(15);
  assert.equal(rig.caller.streams.length, 2);
  assert.deepEqual(rig.stream.sent, [7n]);
});

test("an overdue answer moves all leases to another stream", () => {
  const rig = new Rig();
  rig.keep(7n);
  const hanging = rig.stream;
  rig.clock.advance(ttlMs / 3);
  assert.equal(hanging.isCanceled, true);
  assert.equal(rig.caller.streams.length, 2);
  assert.deepEqual(rig.stream.sent, [7n]);
});

test("a stream that brings answers late is not given up", () => {
  const rig = new Rig();
  for (let id = 1n; id <= 10n; id++) rig.keep(id);
  for (let id = 1n; id <= 3n; id++) {
    rig.clock.advance(1_500);
    rig.answer(id);
  }
  assert.equal(rig.caller.streams.length, 1); // others are asked since 4,500 ms
});

test("missing permission for the keys of one lease loses that one alone", () => {
  const rig = new Rig();
  const allowed = rig.keep(1n);
  const denied = rig.keep(2n);
  const waiting = rig.keep(3n);
  rig.answer(1n);
  rig.stream.fail(fromStatus(grpcCode.permissionDenied, "etcdserver: permission denied"));
  assert.equal(denied.lost.aborted, true);
  assert.equal(allowed.lost.aborted, false);
  rig.clock.advance(25);
  assert.deepEqual(rig.stream.sent, [3n]);
  assert.equal(waiting.lost.aborted, false);
});

test("a revoked lease is lost, and closing the client loses the rest and leaves no timer", () => {
  const rig = new Rig();
  const revoked = rig.keep(1n);
  const other = rig.keep(2n);
  rig.renewer.revoked(1n);
  assert.equal(revoked.lost.aborted, true);
  rig.caller.close();
  assert.equal(other.lost.aborted, true);
  assert.match(String(other.lost.reason), /The client is closed/);
  assert.equal(rig.stream.isCanceled, true);
  assert.equal(rig.clock.pending, 0);
  assert.equal(rig.keep(3n).lost.aborted, true);
});

test("a reader that does not read keeps sixteen answers at most, the newest", async () => {
  const rig = new Rig();
  const handle = rig.keep(7n);
  for (let i = 1; i <= 20; i++) {
    rig.answer(7n, 100 + i);
    rig.clock.advance(((100 + i) * 1_000) / 3);
  }
  handle.stop();
  const ttls = [];
  for await (const answer of handle) ttls.push(answer.ttlSeconds);
  assert.equal(ttls.length, 16);
  assert.equal(ttls.at(-1), 120);
});
