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
  readonly node = {
    proposals: this.proposals,
    takesProposals: true,
    propose: (data: Uint8Array) => {
      if (this.error === null) this.entries.push(decodeInternalRequest(data).body[0]!);
      return this.error;
    },
    proposeFirst: (data: Uint8Array) => {
      this.entries.push(decodeInternalRequest(data).body[0]!);
      return null;
    },
  };
  readonly proposer = new RaftProposer({
    node: this.node,
    requestBytesMax: 32 * mib,
    overlayBytes: () => this.overlayBytes,
    overlayBytesMax: 10,
  });

  propose(mark: number, size = 1, isGone = (): boolean => false): void {
    const body = new Uint8Array(size).fill(mark);
    this.proposer.propose(requestField.put, body, {
      get isGone() {
        return isGone();
      },
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

test("proposals wait in order while the node takes none, each is proposed once", () => {
  const world = new World();
  world.node.takesProposals = false;
  world.propose(1);
  world.propose(2);
  world.proposer.resume(); // the backend made something durable
  assert.deepEqual(world.entries, []);
  world.node.takesProposals = true;
  world.propose(3);
  world.proposer.resume();
  world.proposer.resume();
  assert.deepEqual(world.entries, [1, 2, 3]);
  assert.deepEqual(world.told, []);
});

test("without a leader until the end of its time a proposal gets etcd's error", () => {
  const world = new World();
  world.node.takesProposals = false;
  world.propose(1);
  world.proposals.sweep(0);
  world.propose(2);
  world.proposals.sweep(1000);
  assert.deepEqual(world.told, ["1 context deadline exceeded"]);
  world.proposals.stop();
  assert.deepEqual(world.told.slice(1), ["2 etcdserver: server stopped"]);
  world.node.takesProposals = true;
  world.proposer.resume();
  assert.deepEqual(world.entries, []);
});

test("a proposal that waited for a leader and then was proposed times out as any other", () => {
  const world = new World();
  world.node.takesProposals = false;
  world.propose(1);
  world.proposals.sweep(0);
  world.node.takesProposals = true;
  world.proposer.resume();
  world.node.takesProposals = false;
  world.proposals.sweep(1000);
  assert.deepEqual(world.told, ["1 etcdserver: request timed out"]);
});

test("what nobody waits for any more is not proposed", () => {
  const world = new World();
  world.node.takesProposals = false;
  let isGone = false;
  world.propose(1, 1, () => isGone);
  world.propose(2);
  isGone = true;
  world.node.takesProposals = true;
  world.proposer.resume();
  assert.deepEqual(world.entries, [2]);
  assert.deepEqual(world.told, ["1 etcdserver: request canceled"]);
});

test("what waits for a leader is bounded in number and bytes, until it has timed out", () => {
  const world = new World();
  world.node.takesProposals = false;
  for (let n = 0; n <= 10_000; n++) world.propose(1);
  assert.deepEqual(world.told, ["1 etcdserver: too many requests"]);
  world.proposals.sweep(0);
  world.proposals.sweep(1000);
  world.told.length = 0;
  for (let n = 2; n <= 4; n++) world.propose(n, 7 * mib);
  assert.deepEqual(world.told, ["4 etcdserver: too many requests"]);
  world.node.takesProposals = true;
  world.proposer.resume();
  assert.deepEqual(world.entries, [2, 3]);
});
