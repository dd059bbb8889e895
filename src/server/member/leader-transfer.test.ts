import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  errBadLeaderTransferee,
  errLeaderTransferTimeout,
  errNotLeader,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import { Hand, silent } from "../../../test/mvcc/rig.ts";
import { LeaderTransfers } from "./leader-transfer.ts";
import type { Member } from "./member.ts";

const plain = { peerUrls: [], name: "x", clientUrls: [], isLearner: false };

/** Voters 1 (here, leading), 2 and 3; 4 is a learner. */
function create(voterIds: readonly bigint[] = [1n, 2n, 3n]) {
  const hand = new Hand();
  const voters: Member[] = voterIds.map((id) => ({ ...plain, id }));
  const learner: Member = { ...plain, id: 4n, isLearner: true };
  const world = {
    hand,
    asked: [] as bigint[],
    leader: 1n,
    match: new Map([
      [2n, 5],
      [3n, 5],
    ]),
    active: new Map([
      [2n, 20],
      [3n, 10],
    ]),
    outcomes: [] as (EtcdError | null)[],
    done: (error: EtcdError | null): void => {
      world.outcomes.push(error);
    },
  };
  const transfers = new LeaderTransfers({
    ...{ clock: hand, log: silent, electionTimeoutMs: 1000, requestTimeoutMs: 7000 },
    cluster: {
      localId: 1n,
      member: (id) => [...voters, learner].find((m) => m.id === id),
      voters: () => voters,
    },
    status: {
      get isLeader() {
        return world.leader === 1n;
      },
      get leader() {
        return world.leader;
      },
      matchOf: (id) => world.match.get(id) ?? null,
      activeSince: (id) => world.active.get(id) ?? null,
    },
    transfer: (to) => world.asked.push(to),
  });
  const elect = (leader: bigint): void => {
    world.leader = leader;
    transfers.leaderChanged(leader);
  };
  return { world, transfers, elect };
}

suite("MoveLeader", () => {
  test("is confirmed only when the other member leads", () => {
    const { world, transfers, elect } = create();
    transfers.move(2n, world.done);
    assert.deepEqual(world.asked, [2n]);
    elect(0n);
    elect(3n);
    assert.deepEqual(world.outcomes, []);
    elect(2n);
    assert.deepEqual(world.outcomes, [null]);
    world.hand.advance(10_000);
    assert.deepEqual(world.outcomes, [null]);
  });

  test("fails when that does not happen in time", () => {
    const { world, transfers, elect } = create();
    transfers.move(2n, world.done);
    world.hand.advance(6999);
    assert.deepEqual(world.outcomes, []);
    world.hand.advance(1);
    assert.deepEqual(world.outcomes, [errLeaderTransferTimeout]);
    elect(2n);
    assert.equal(world.outcomes.length, 1);
  });

  test("to itself is done at once; to strangers and learners, or not from the leader, refused", () => {
    const { world, transfers, elect } = create();
    transfers.move(1n, world.done);
    transfers.move(9n, world.done);
    transfers.move(4n, world.done);
    elect(2n);
    transfers.move(3n, world.done);
    const { outcomes } = world;
    assert.deepEqual(outcomes, [
      null,
      errBadLeaderTransferee,
      errBadLeaderTransferee,
      errNotLeader,
    ]);
    assert.deepEqual(world.asked, []);
  });
});

suite("handing over before a stop", () => {
  const handOver = (world: ReturnType<typeof create>): { ended: number } => {
    const state = { ended: 0 };
    world.transfers.handOver(() => state.ended++);
    return state;
  };

  test("chooses the voter with most of the log, then the longest connected", () => {
    const even = create();
    handOver(even);
    assert.deepEqual(even.world.asked, [3n]);
    const ahead = create();
    ahead.world.match.set(2n, 6);
    handOver(ahead);
    assert.deepEqual(ahead.world.asked, [2n]);
    ahead.world.active.delete(2n);
    handOver(ahead);
    assert.deepEqual(ahead.world.asked, [2n, 3n]);
  });

  test("ends when the other leads, at the latest after an election timeout", () => {
    const quick = create();
    const done = handOver(quick);
    assert.equal(done.ended, 0);
    quick.elect(3n);
    assert.equal(done.ended, 1);
    const slow = create();
    const late = handOver(slow);
    slow.world.hand.advance(1000);
    assert.equal(late.ended, 1);
  });

  test("is skipped by a follower, a removed leader, one alone, and one without connections", () => {
    const follower = create();
    follower.elect(2n);
    const alone = create([1n]);
    const removed = create([2n, 3n]);
    const cut = create();
    cut.world.active.clear();
    for (const each of [follower, removed, alone, cut]) {
      assert.equal(handOver(each).ended, 1);
      assert.deepEqual(each.world.asked, []);
    }
  });
});
