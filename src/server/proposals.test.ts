import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApplyResult } from "./apply/applier.ts";
import { Proposals, type Waiter } from "./proposals.ts";

const options = {
  memberId: 0xabcdef0123456789n,
  wallMs: 1_700_000_000_123,
  timeoutMs: 7000,
  leaderFailWindowMs: 2000,
};
const result = { marker: 1 } as unknown as ApplyResult;

function recorder(log: string[], name: string): Waiter {
  return {
    applied: (value) => log.push(`${name} applied ${value === result}`),
    failed: (error) => log.push(`${name} ${error.message}`),
  };
}

test("ids are etcd's: member, 40 bits of time, a counter, growing", () => {
  const proposals = new Proposals(options);
  assert.equal(proposals.idHigh, 0x6789);
  const first = proposals.nextIdLow();
  assert.equal(Math.floor(first / 256), 1_700_000_000_123 % 2 ** 40);
  let last = first;
  for (let i = 0; i < 1000; i++) {
    const next = proposals.nextIdLow();
    assert.ok(next > last && next < 2 ** 48);
    last = next;
  }
  assert.ok(new Proposals({ ...options, wallMs: options.wallMs + 4 }).nextIdLow() > last);
});

test("a waiter is told once", () => {
  const log: string[] = [];
  const proposals = new Proposals(options);
  const id = proposals.nextIdLow();
  proposals.register(id, recorder(log, "a"));
  assert.ok(proposals.get(id) !== undefined);
  assert.equal(proposals.applied(id, result), true);
  assert.equal(proposals.applied(id, result), false);
  proposals.stop();
  assert.deepEqual(log, ["a applied true"]);
  assert.equal(proposals.waiting, 0);
});

test("waiters time out by age, within one sweep period", () => {
  const log: string[] = [];
  const proposals = new Proposals(options);
  proposals.sweep(0);
  proposals.register(proposals.nextIdLow(), recorder(log, "a"));
  proposals.sweep(100);
  proposals.register(proposals.nextIdLow(), recorder(log, "b"));
  for (let now = 200; now <= 7000; now += 100) proposals.sweep(now);
  assert.deepEqual(log, []);
  proposals.sweep(7100);
  assert.deepEqual(log, ["a etcdserver: request timed out"]);
  assert.equal(proposals.failures, 1);
  proposals.sweep(7200);
  assert.equal(log.length, 2);
  assert.equal(proposals.failures, 2);
});

test("a timeout is blamed on the lost leader when the proposal fell into its election", () => {
  const log: string[] = [];
  const proposals = new Proposals(options);
  proposals.register(proposals.nextIdLow(), recorder(log, "a"));
  proposals.sweep(1000);
  proposals.leaderElected(2500);
  proposals.sweep(8000);
  assert.deepEqual(log, [
    "a etcdserver: request timed out, possibly due to previous leader failure",
  ]);
});

test("after stop everyone gets the same error, latecomers too", () => {
  const log: string[] = [];
  const proposals = new Proposals(options);
  proposals.register(proposals.nextIdLow(), recorder(log, "a"));
  const forgotten = proposals.nextIdLow();
  proposals.register(forgotten, recorder(log, "forgotten"));
  proposals.forget(forgotten);
  proposals.stop();
  proposals.register(proposals.nextIdLow(), recorder(log, "b"));
  assert.deepEqual(log, ["a etcdserver: server stopped", "b etcdserver: server stopped"]);
});

test("a timeout is blamed on a connection that was not there all the time", () => {
  const log: string[] = [];
  const connectedAt = 1500;
  const isConnectedSince = (since: number): boolean => connectedAt < since;
  const proposals = new Proposals({ ...options, isConnectedSince });
  proposals.register(proposals.nextIdLow(), recorder(log, "a"));
  proposals.sweep(1000);
  proposals.register(proposals.nextIdLow(), recorder(log, "b"));
  proposals.sweep(2000);
  proposals.sweep(8000);
  proposals.sweep(9000);
  assert.deepEqual(log, [
    "a etcdserver: request timed out, possibly due to connection lost",
    "b etcdserver: request timed out",
  ]);
});
