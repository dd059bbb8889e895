import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdError } from "../base/etcd-errors.ts";
import { errNoLeader, errRequestTooManyRequests } from "../base/etcd-errors.ts";
import { decodeInternalRequest } from "../codec/internal.ts";
import { requestField } from "./apply/fields.ts";
import { Proposals } from "./proposals.ts";
import { RaftProposer } from "./proposer.ts";

const mib = 1024 * 1024;

/** A proposer whose backend is behind or not, and the entries that reached the log. */
class World {
  readonly entries: number[] = [];
  readonly told: string[] = [];
  readonly proposals = new Proposals({
    ...{ memberId: 1n, wallMs: 0, timeoutMs: 1000, leaderFailWindowMs: 0 },
  });
  overlayBytes = 0;
  error: EtcdError | null = null;
  readonly proposer = new RaftProposer({
    node: {
      proposals: this.proposals,
      propose: (data) => {
        if (this.error === null) this.entries.push(decodeInternalRequest(data).body[0]!);
        return this.error;
      },
      proposeFirst: (data) => {
        this.entries.push(decodeInternalRequest(data).body[0]!);
        return null;
      },
    },
    requestBytesMax: 32 * mib,
    overlayBytes: () => this.overlayBytes,
    overlayBytesMax: 10,
  });

  propose(mark: number, size = 1): void {
    const body = new Uint8Array(size).fill(mark);
    this.proposer.propose(requestField.put, body, {
      applied: () => this.told.push(`${String(mark)} applied`),
      failed: (error) => this.told.push(`${String(mark)} ${error.message}`),
    });
  }
}

test("proposals wait in order while the backend is behind", () => {
  const world = new World();
  world.overlayBytes = 11;
  world.propose(1);
  world.propose(2);
  world.overlayBytes = 10;
  world.propose(3); // not before those that wait
  assert.deepEqual(world.entries, []);
  world.proposer.resume();
  world.propose(4);
  assert.deepEqual(world.entries, [1, 2, 3, 4]);
  assert.deepEqual(world.told, []);
});

test("what the member itself proposes does not wait behind clients (etcd #20492)", () => {
  const world = new World();
  world.overlayBytes = 11;
  world.propose(1);
  world.error = errRequestTooManyRequests;
  const waiter = { applied: () => undefined, failed: () => undefined };
  world.proposer.proposeNow(requestField.leaseRevoke, new Uint8Array([7]), waiter);
  assert.deepEqual(world.entries, [7]);
});

test("a waiting proposal times out, and is not proposed afterwards", () => {
  const world = new World();
  world.overlayBytes = 11;
  world.propose(1);
  world.proposals.sweep(0);
  world.propose(2);
  world.proposals.sweep(1000);
  assert.deepEqual(world.told, ["1 etcdserver: request timed out"]);
  world.overlayBytes = 0;
  world.proposer.resume();
  assert.deepEqual(world.entries, [2]);
});

test("a stop reaches waiting proposals", () => {
  const world = new World();
  world.overlayBytes = 11;
  world.propose(1);
  world.proposals.stop();
  assert.deepEqual(world.told, ["1 etcdserver: server stopped"]);
  world.overlayBytes = 0;
  world.proposer.resume();
  assert.deepEqual(world.entries, []);
});

test("a proposal refused after it waited tells its waiter once", () => {
  const world = new World();
  world.overlayBytes = 11;
  world.propose(1);
  world.overlayBytes = 0;
  world.error = errNoLeader;
  world.proposer.resume();
  world.proposals.stop();
  assert.deepEqual(world.told, ["1 etcdserver: no leader"]);
});

test("what waits is bounded by bytes", () => {
  const world = new World();
  world.overlayBytes = 11;
  for (let mark = 1; mark <= 3; mark++) world.propose(mark, 30 * mib);
  assert.deepEqual(world.told, ["3 etcdserver: too many requests"]);
});
