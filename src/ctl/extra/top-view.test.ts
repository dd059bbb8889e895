import assert from "node:assert/strict";
import { test } from "node:test";
import type { StatusResult } from "../../codec/client/maintenance.ts";
import type { Look, MemberLook } from "./top-view.ts";
import { topLines } from "./top-view.ts";

function status(revision: number, index: number, more: Partial<StatusResult> = {}): StatusResult {
  return {
    header: { clusterId: 0xcn, memberId: 1n, revision, raftTerm: 3 },
    ...{ version: "3.7.1", dbSize: 20_480, dbSizeInUse: 10_000, dbSizeQuota: 2_147_483_648 },
    ...{ leader: 1n, raftIndex: index, raftTerm: 3, raftAppliedIndex: index, errors: [] },
    ...{ isLearner: false, storageVersion: "3.7.0", downgradeInfo: null },
    ...more,
  };
}

function member(id: bigint, at: StatusResult | null, problem = ""): MemberLook {
  const [name, endpoint] = [`m${id}`, `http://127.0.0.1:${id}`];
  return { id, name, endpoint, isLearner: false, status: at, problem, tookMs: 1.25 };
}

function look(atMs: number, members: MemberLook[], alarms: Look["alarms"] = []): Look {
  return { atMs, clusterId: 0xcn, members, alarms };
}

test("rates come from two looks, lag from the leader's log, alarms with their member", () => {
  const before = look(0, [member(1n, status(10, 20)), member(2n, status(10, 20))]);
  const now = look(
    2_000,
    [
      member(1n, status(210, 225, { dbSizeInUse: 14_000 })),
      member(2n, status(205, 215)),
      member(3n, null, "context deadline exceeded"),
    ],
    [{ memberId: 2n, alarm: "nospace" }],
  );
  assert.deepEqual(topLines(now, before), [
    "cluster c: 2 of 3 members answer, leader m1, term 3, revision 210, 100 writes/s",
    "alarms: NOSPACE m2",
    "",
    "MEMBER  ENDPOINT            STATE      VERSION  REVISION  WRITES/S  ENTRIES/S  LAG     DB  IN USE   QUOTA  GROWTH/S  ANSWER",
    "m1      http://127.0.0.1:1  leader     3.7.1         210       100        103    0  20 kB   14 kB  2.1 GB    2.0 kB  1.3 ms",
    "m2      http://127.0.0.1:2  follower   3.7.1         205        98         98   10  20 kB   10 kB  2.1 GB       0 B  1.3 ms",
    "m3      http://127.0.0.1:3  no answer  -               -         -          -    -      -       -       -         -       -",
    "m3: context deadline exceeded",
  ]);
});

test("a first look has no rates, a cluster without a leader says so", () => {
  const lines = topLines(look(0, [member(1n, status(10, 20, { leader: 0n }))]), null);
  assert.match(lines[0]!, /leader unknown, term -, revision 10, - writes\/s$/);
  assert.match(lines[4]!, /no leader {2}3\.7\.1 +10 +- +- +0 /);
  assert.equal(lines[1], "alarms: none");
});

test("what servers say cannot drive the terminal", () => {
  const evil = { ...member(1n, status(1, 1, { errors: ["\x1b[2J"] })), name: "a\x07\x9b" };
  assert.doesNotMatch(topLines(look(0, [evil]), null).join(""), /\p{Cc}/u);
});
