import assert from "node:assert/strict";
import { test } from "node:test";
import { Hand } from "../../test/mvcc/rig.ts";
import {
  errNoLeader,
  errRequestTooManyRequests,
  errStopped,
  errTimeout,
  type EtcdError,
} from "../base/etcd-errors.ts";
import { decodeConfChange } from "../codec/conf-change.ts";
import { ConfChangeProposer } from "./conf-change-proposer.ts";
import { errIdExists } from "./member/member-error.ts";
import { Proposals } from "./proposals.ts";

const change = { type: 0, nodeId: 9n, context: new Uint8Array(0) };

function create(refusals: readonly EtcdError[]) {
  const hand = new Hand();
  const left = [...refusals];
  const proposed: bigint[] = [];
  const outcomes: (EtcdError | null)[] = [];
  const proposals = new Proposals({
    ...{ memberId: 0x1234n, wallMs: 1, timeoutMs: 7000, leaderFailWindowMs: 2000 },
  });
  const proposer = new ConfChangeProposer({
    ...{ clock: hand, requestTimeoutMs: 7000 },
    node: {
      proposals,
      proposeConfChange: (data) => {
        const error = left.shift() ?? null;
        if (error === null) proposed.push(decodeConfChange(data).id);
        return error;
      },
    },
  });
  proposer.propose(change, (error) => outcomes.push(error));
  const applied = (error: EtcdError | null): void => {
    const idLow = Number(proposed[0]! & 0xffff_ffff_ffffn);
    proposals.applied(idLow, { error, revision: 1, body: null as never, compaction: null });
  };
  return { hand, proposals, proposed, outcomes, applied };
}

test("a change is done when it was applied, with what that gave", () => {
  for (const error of [null, errIdExists]) {
    const { proposed, outcomes, applied } = create([]);
    assert.equal(proposed[0]! >> 48n, 0x1234n); // the member's own ids
    assert.deepEqual(outcomes, []);
    applied(error);
    assert.deepEqual(outcomes, [error]);
  }
});

test("a change waits for a leader, and for the change before it", () => {
  const { hand, proposed, outcomes, applied } = create([errNoLeader, errRequestTooManyRequests]);
  hand.advance(100);
  assert.equal(proposed.length, 0);
  hand.advance(100);
  assert.equal(proposed.length, 1);
  applied(null);
  assert.deepEqual(outcomes, [null]);
});

test("a change is given up in time, and when the member stops", () => {
  const never = create(new Array<EtcdError>(1000).fill(errNoLeader));
  for (let i = 0; i < 100; i++) never.hand.advance(100);
  assert.deepEqual(never.outcomes, [errTimeout]);
  assert.deepEqual(create([errStopped]).outcomes, [errStopped]);
  const stopped = create([]);
  stopped.proposals.stop();
  assert.deepEqual(stopped.outcomes, [errStopped]);
});
