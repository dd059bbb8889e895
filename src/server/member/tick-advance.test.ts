import assert from "node:assert/strict";
import { test } from "node:test";
import { Hand, silent } from "../../../test/mvcc/rig.ts";
import { endRemovedMember } from "./removal.ts";
import { advanceElection } from "./tick-advance.ts";

/** Ten ticks of 100 ms; the numbers of ticks that raft was given. */
function start(memberCount: number, isWanted = true) {
  const hand = new Hand();
  const world = { hand, active: 0, advanced: [] as number[] };
  advanceElection({
    ...{ clock: hand, log: silent, localId: 1n, memberCount, isWanted },
    ...{ electionTicks: 10, tickMs: 100 },
    activePeers: () => world.active,
    advance: (ticks) => world.advanced.push(ticks),
  });
  return world;
}

test("a member alone waits one tick for its election", () => {
  assert.deepEqual(start(1).advanced, [9]);
  assert.deepEqual(start(1, false).advanced, [9]);
});

test("a member of several waits two ticks, once more than one peer is connected", () => {
  const world = start(3);
  world.active = 1;
  world.hand.advance(50);
  assert.deepEqual(world.advanced, []);
  world.active = 2;
  world.hand.advance(50);
  assert.deepEqual(world.advanced, [8]);
  assert.equal(world.hand.advance(50), false);
});

test("nothing is advanced when nobody connects in five seconds, or that is not wanted", () => {
  const lonely = start(3);
  for (let i = 0; i < 100; i++) lonely.hand.advance(50);
  lonely.active = 2;
  assert.equal(lonely.hand.advance(50), false);
  assert.deepEqual(lonely.advanced, []);
  const unwanted = start(3, false);
  assert.equal(unwanted.hand.advance(50), false);
  assert.deepEqual(unwanted.advanced, []);
});

test("a removed member ends a second later, saying why", () => {
  const hand = new Hand();
  const said: string[] = [];
  const log = {
    ...silent,
    warn: (message: string, fields?: object) => said.push(message + JSON.stringify(fields ?? {})),
  };
  endRemovedMember({ clock: hand, log }, () => said.push("stopped"));
  hand.advance(999);
  assert.deepEqual(said, []);
  hand.advance(1);
  assert.deepEqual(said, [
    'server error{"error":"the member has been permanently removed from the cluster"}',
    "data-dir used by this member must be removed{}",
    "stopped",
  ]);
});
