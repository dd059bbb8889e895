import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../base/bytes.ts";
import { errLeaseExist, errLeaseNotFound, errLeaseTTLTooLarge } from "../../base/etcd-errors.ts";
import { FakeClock, FakeTurn } from "../../../test/watch/fakes.ts";
import type { RenewWaiter } from "./lease.ts";
import { decodeLeaseRow, encodeLeaseRow, leaseRowKey } from "./lease-row.ts";
import { Lessor, leaseLimits, minLeaseTtlSeconds, renewed } from "./lessor.ts";

class Rows {
  readonly rows = new Map<string, Uint8Array>();
  put(bucket: string, key: Uint8Array, value: Uint8Array): void {
    this.rows.set(`${bucket}/${key.join()}`, value);
  }
  delete(bucket: string, key: Uint8Array): void {
    this.rows.delete(`${bucket}/${key.join()}`);
  }
}

class Waiter implements RenewWaiter {
  readonly outcomes: string[] = [];
  renewEnded(id: bigint, outcome: string): void {
    this.outcomes.push(`${id} ${outcome}`);
  }
}

function setup() {
  const clock = new FakeClock();
  const turn = new FakeTurn();
  const rows = new Rows();
  const proposed: bigint[] = [];
  const lessor = new Lessor({
    clock,
    turn,
    rows,
    minTtlSeconds: 2,
    proposeCheckpoints: () => undefined,
    proposeRevoke: (id) => proposed.push(id),
  });
  return { clock, turn, rows, proposed, lessor, waiter: new Waiter() };
}

const keys = (lessor: Lessor, id: bigint) =>
  lessor
    .keysOf(id)
    .map((k) => new TextDecoder().decode(k))
    .sort();

test("the least TTL is one and a half election timeouts, rounded up", () => {
  assert.equal(minLeaseTtlSeconds(10, 100), 2);
  assert.equal(minLeaseTtlSeconds(50, 100), 8);
  assert.equal(minLeaseTtlSeconds(5, 1000), 7);
});

test("a grant answers the granted TTL or etcd's error", () => {
  const { lessor } = setup();
  assert.equal(lessor.applyGrant(7n, 60), 60);
  assert.equal(lessor.applyGrant(7n, 60), errLeaseExist);
  assert.equal(lessor.applyGrant(8n, 1), 2);
  assert.equal(lessor.applyGrant(9n, 0), 2);
  assert.equal(lessor.applyGrant(10n, -5), 2);
  assert.equal(lessor.applyGrant(11n, leaseLimits.ttlSecondsMax), leaseLimits.ttlSecondsMax);
  assert.equal(lessor.applyGrant(12n, leaseLimits.ttlSecondsMax + 1), errLeaseTTLTooLarge);
  assert.equal(lessor.applyGrant(-1n, 5), 5);
  assert.equal(lessor.applyGrant(-(2n ** 63n), 5), 5);
  assert.equal(lessor.applyGrant(0n, 5), errLeaseNotFound);
});

test("a revoke hands back the keys in byte order and frees lease, keys and row", () => {
  const { lessor, rows } = setup();
  lessor.applyGrant(1n, 10);
  for (const key of ["b", "a", "ab"]) lessor.attach(1n, utf8(key));
  lessor.attach(1n, new Uint8Array([0xff]));
  lessor.attach(1n, new Uint8Array([0x80, 1]));
  assert.equal(rows.rows.size, 1);
  assert.deepEqual(lessor.applyRevoke(1n), [
    utf8("a"),
    utf8("ab"),
    utf8("b"),
    new Uint8Array([0x80, 1]),
    new Uint8Array([0xff]),
  ]);
  assert.equal(lessor.leaseOf(utf8("a")), 0n);
  assert.equal(lessor.exists(1n), false);
  assert.equal(rows.rows.size, 0);
  assert.equal(lessor.applyRevoke(1n), errLeaseNotFound);
});

test("a key belongs to one lease; detaching from another changes nothing", () => {
  const { lessor } = setup();
  lessor.applyGrant(1n, 10);
  lessor.applyGrant(2n, 10);
  lessor.attach(1n, utf8("k"));
  lessor.attach(2n, utf8("k"));
  assert.deepEqual([keys(lessor, 1n), keys(lessor, 2n)], [[], ["k"]]);
  lessor.detach(1n, utf8("k"));
  assert.equal(lessor.leaseOf(utf8("k")), 2n);
  lessor.detach(2n, utf8("k"));
  assert.equal(lessor.leaseOf(utf8("k")), 0n);
});

test("time to live counts down in whole seconds, below zero too, and is null for a missing lease", () => {
  const { lessor, clock } = setup();
  lessor.applyGrant(1n, 10);
  assert.equal(lessor.timeToLive(1n)?.ttl, 9_223_372_036);
  lessor.promote(0);
  clock.advance(500);
  assert.deepEqual(lessor.timeToLive(1n), { ttl: 9, grantedTtl: 10 });
  clock.advance(10_000);
  assert.equal(lessor.timeToLive(1n)?.ttl, 0);
  clock.advance(1000);
  assert.equal(lessor.timeToLive(1n)?.ttl, -1);
  assert.equal(lessor.timeToLive(2n), null);
});

test("an expired lease is proposed in the next round and again after the retry time", () => {
  const { lessor, clock, proposed } = setup();
  lessor.promote(0);
  lessor.applyGrant(1n, 5);
  clock.advance(4999);
  assert.deepEqual(proposed, []);
  clock.advance(1);
  assert.deepEqual(proposed, [1n]);
  clock.advance(leaseLimits.revokeRetryMs - 1);
  assert.deepEqual(proposed, [1n]);
  clock.advance(1);
  assert.deepEqual(proposed, [1n, 1n]);
  lessor.applyRevoke(1n);
  clock.advance(10_000);
  assert.deepEqual(proposed, [1n, 1n]);
});

test("a renewed lease lives a full TTL from then on", () => {
  const { lessor, clock, proposed, waiter } = setup();
  lessor.promote(0);
  lessor.applyGrant(1n, 5);
  for (let i = 0; i < 10; i++) {
    clock.advance(4000);
    assert.equal(lessor.renew(1n, waiter), 5);
  }
  assert.deepEqual(proposed, []);
  clock.advance(5500);
  assert.deepEqual(proposed, [1n]);
});

test("renewing says missing, not primary, or waits for the revoke of an expired lease", () => {
  const { lessor, clock, waiter } = setup();
  lessor.applyGrant(1n, 5);
  assert.equal(lessor.renew(1n, waiter), renewed.notPrimary);
  lessor.promote(0);
  assert.equal(lessor.renew(2n, waiter), renewed.missing);
  clock.advance(5000);
  assert.equal(lessor.renew(1n, waiter), renewed.waiting);
  assert.deepEqual(waiter.outcomes, []);
  lessor.applyRevoke(1n);
  assert.deepEqual(waiter.outcomes, ["1 missing"]);
});

test("a waiting renewal ends with a demotion, and not at all once taken back", () => {
  const { lessor, clock, waiter } = setup();
  const other = new Waiter();
  lessor.promote(0);
  lessor.applyGrant(1n, 5);
  clock.advance(5000);
  lessor.renew(1n, waiter);
  lessor.renew(1n, other);
  lessor.cancelRenew(1n, other);
  lessor.demote();
  assert.deepEqual(waiter.outcomes, ["1 notPrimary"]);
  assert.deepEqual(other.outcomes, []);
  assert.equal(clock.timers, 0);
});

test("a promotion gives the full TTL plus the extension, or the checkpointed rest", () => {
  const { lessor, clock, proposed } = setup();
  lessor.applyGrant(1n, 10);
  lessor.applyGrant(2n, 1000);
  lessor.applyCheckpoint(2n, 3);
  clock.advance(60_000);
  lessor.promote(1000);
  assert.deepEqual(lessor.ids(), [2n, 1n]);
  clock.advance(3999);
  assert.equal(proposed.join(), "");
  clock.advance(501);
  assert.equal(proposed.join(), "2");
  clock.advance(7000);
  assert.match(proposed.join(), /1/);
});

test("mass expiry is proposed at the revoke rate, each lease once", () => {
  const { lessor, clock, proposed } = setup();
  lessor.promote(0);
  for (let i = 1; i <= 2200; i++) lessor.applyGrant(BigInt(i), 5);
  clock.advance(5000);
  assert.equal(proposed.length, 100);
  clock.advance(500);
  assert.equal(proposed.length, 600);
  clock.advance(1700);
  assert.equal(new Set<bigint>(proposed).size, 2200);
});

test("a promotion spreads leases that would end together below the revoke rate", () => {
  const { lessor, clock, turn, proposed } = setup();
  for (let i = 1; i <= 3000; i++) lessor.applyGrant(BigInt(i), 5);
  lessor.promote(1000);
  turn.drain();
  const perRound: number[] = [];
  for (let at = 500; at <= 10_500; at += 500) {
    clock.advance(500);
    perRound.push(proposed.length);
    for (const id of proposed.splice(0)) lessor.applyRevoke(id);
  }
  assert.equal(lessor.size, 0);
  const full = perRound.filter((count) => count === leaseLimits.revokesPerSecondMax / 2);
  assert.ok(full.length <= 2, `rounds: ${perRound.join()}`);
});

test("a promotion goes over many leases in several turns, and shows their times meanwhile", () => {
  const { lessor, clock, turn, waiter, proposed } = setup();
  for (let i = 1; i <= 10_000; i++) lessor.applyGrant(BigInt(i), 60);
  lessor.promote(1000);
  const last = 10_000n;
  assert.equal(lessor.timeToLive(last)?.ttl, 61);
  assert.equal(lessor.ids().length, 10_000);
  clock.advance(2000);
  assert.equal(lessor.renew(last, waiter), 60); // PR1: kept when its step comes
  lessor.applyRevoke(9_999n);
  assert.ok(turn.drain() > 2);
  assert.equal(lessor.timeToLive(last)?.ttl, 60);
  assert.ok(lessor.timeToLive(9_998n)!.ttl >= 59);
  clock.advance(58_000);
  assert.deepEqual(proposed, []);
  clock.advance(1000);
  assert.ok(proposed.length > 0);
});

test("a demotion ends a promotion that is under way", () => {
  const { lessor, clock, turn, proposed } = setup();
  for (let i = 1; i <= 10_000; i++) lessor.applyGrant(BigInt(i), 5);
  lessor.promote(1000);
  lessor.demote();
  turn.drain();
  clock.advance(60_000);
  assert.deepEqual(proposed, []);
  lessor.promote(1000);
  turn.drain();
  clock.advance(60_000);
  assert.equal(new Set(proposed).size, 10_000);
});

test("rows round trip, and a restarted lessor has the same leases", () => {
  const { lessor, rows } = setup();
  lessor.applyGrant(-3n, 77);
  lessor.applyGrant(2n ** 63n - 1n, leaseLimits.ttlSecondsMax);
  lessor.applyCheckpoint(-3n, 12);
  assert.deepEqual(leaseRowKey(-3n), new Uint8Array([255, 255, 255, 255, 255, 255, 255, 253]));
  const again = setup();
  for (const row of rows.rows.values()) again.lessor.restore(row);
  again.lessor.promote(0);
  assert.deepEqual(again.lessor.timeToLive(-3n), { ttl: 12, grantedTtl: 77 });
  assert.equal(again.lessor.timeToLive(2n ** 63n - 1n)?.grantedTtl, leaseLimits.ttlSecondsMax);
  assert.equal(again.rows.rows.size, 0);
});

test("a damaged row is refused", () => {
  const { lessor } = setup();
  const row = encodeLeaseRow(300n, 300, 0);
  assert.deepEqual(decodeLeaseRow(row), { id: 300n, ttl: 300, remainingTtl: 0 });
  for (const bad of [row.slice(0, -1), new Uint8Array([0x0a, 0]), new Uint8Array(0)]) {
    assert.throws(() => lessor.restore(bad), /damaged/);
  }
});
