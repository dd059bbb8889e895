import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Request } from "../../../test/apply/rig.ts";
import { ApplyRig } from "../../../test/apply/rig.ts";
import { utf8 } from "../../base/bytes.ts";
import {
  errCorrupt,
  errKeyNotFound,
  errLeaseExist,
  errLeaseNotFound,
  errNoSpace,
} from "../../base/etcd-errors.ts";
import { InternalRaftRequestSchema } from "../../gen/raft_internal_pb.js";
import {
  AlarmRequest_AlarmAction as Action,
  AlarmResponseSchema,
  AlarmType,
  DeleteRangeResponseSchema,
  LeaseGrantResponseSchema,
  PutResponseSchema,
} from "../../gen/rpc_pb.js";

const decoder = new TextDecoder();
const text = (bytes: Uint8Array | undefined): string => decoder.decode(bytes);
const grant = (ID: bigint, TTL = 10n): Request => ({ leaseGrant: { ID, TTL } });
const alarm = (action: Action, type: AlarmType, memberID = 2n): Request => ({
  alarm: { action, alarm: type, memberID },
});
const noSpaceOn = alarm(Action.ACTIVATE, AlarmType.NOSPACE);

test("a put answers with the new revision, and with the former value if asked", () => {
  const rig = new ApplyRig();
  assert.deepEqual(rig.put("a", "1"), { error: null, revision: 2, body: new Uint8Array(0) });
  const { revision, body } = rig.put("a", "2", { prevKv: true });
  assert.equal(revision, 3);
  assert.equal(text(fromBinary(PutResponseSchema, body).prevKv?.value), "1");
  assert.equal(rig.value("a"), "2");
});

test("ignore_value and ignore_lease keep what the key has", () => {
  const rig = new ApplyRig();
  rig.run(grant(5n));
  rig.put("a", "1", { lease: 5n });
  rig.put("a", "2", { ignoreLease: true });
  assert.equal(rig.value("a"), "2");
  assert.equal(rig.lessor.leaseOf(utf8("a")), 5n);
  rig.run({ put: { key: utf8("a"), ignoreValue: true } });
  assert.equal(rig.value("a"), "2");
  assert.equal(rig.lessor.leaseOf(utf8("a")), 0n);
});

test("a missing lease is reported before a missing key, and neither moves the revision", () => {
  const rig = new ApplyRig();
  const lost = rig.put("missing", "", { lease: 9n, ignoreValue: true });
  assert.deepEqual([lost.error, lost.revision], [errLeaseNotFound.message, 1]);
  assert.equal(rig.put("missing", "", { ignoreValue: true }).error, errKeyNotFound.message);
  assert.equal(rig.put("missing", "x", { ignoreLease: true }).error, errKeyNotFound.message);
  assert.equal(rig.store.currentRevision, 1);
});

test("a delete answers with its count and the former key-values", () => {
  const rig = new ApplyRig();
  for (const key of ["a", "b", "c"]) rig.put(key, `${key}1`);
  const request = { key: utf8("a"), rangeEnd: utf8("c"), prevKv: true };
  const { revision, body } = rig.run({ deleteRange: request });
  const answer = fromBinary(DeleteRangeResponseSchema, body);
  assert.equal(revision, 5);
  assert.equal(answer.deleted, 2n);
  assert.deepEqual(
    answer.prevKvs.map((kv) => text(kv.value)),
    ["a1", "b1"],
  );
  const nothing = rig.run({ deleteRange: request });
  assert.deepEqual([nothing.revision, nothing.body.length], [5, 0]);
});

test("a lease is granted once; its keys go in one revision when it is revoked", () => {
  const rig = new ApplyRig();
  const answer = fromBinary(LeaseGrantResponseSchema, rig.run(grant(5n, 1n)).body);
  assert.deepEqual([answer.ID, answer.TTL], [5n, 2n]); // the least TTL counts
  assert.equal(rig.run(grant(5n)).error, errLeaseExist.message);
  rig.put("a", "1", { lease: 5n });
  rig.put("b", "1", { lease: 5n });
  rig.put("c", "1");
  const revoke: Request = { leaseRevoke: { ID: 5n } };
  assert.deepEqual([rig.run(revoke).error, rig.store.currentRevision], [null, 5]);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => rig.value(key)),
    [null, null, "1"],
  );
  assert.equal(rig.run(revoke).error, errLeaseNotFound.message);
});

test("NOSPACE refuses what adds and lets through what frees", () => {
  const rig = new ApplyRig();
  rig.run(grant(5n));
  rig.put("a", "1");
  rig.run(noSpaceOn);
  const put = { request: { case: "requestPut" as const, value: { key: utf8("a") } } };
  const remove = { request: { case: "requestDeleteRange" as const, value: { key: utf8("a") } } };
  for (const refused of [
    { put: { key: utf8("a") } },
    grant(6n),
    { txn: { failure: [put] } }, // the side that is not taken counts as well
  ] satisfies Request[]) {
    assert.equal(rig.run(refused).error, errNoSpace.message);
  }
  assert.equal(rig.value("a"), "1");
  for (const allowed of [
    { txn: { success: [remove] } },
    { deleteRange: { key: utf8("a") } },
    { compaction: { revision: 2n } },
    { leaseRevoke: { ID: 5n } },
  ] satisfies Request[]) {
    assert.equal(rig.run(allowed).error, null);
  }
  rig.run(alarm(Action.DEACTIVATE, AlarmType.NOSPACE));
  assert.equal(rig.put("a", "2").error, null);
});

test("CORRUPT refuses every change but alarms, and outranks NOSPACE", () => {
  const rig = new ApplyRig();
  rig.put("a", "1");
  rig.run(noSpaceOn);
  rig.run(alarm(Action.ACTIVATE, AlarmType.CORRUPT));
  for (const refused of [
    { put: { key: utf8("a") } },
    { deleteRange: { key: utf8("a") } },
    { txn: {} },
    { compaction: { revision: 2n } },
    grant(6n),
    { leaseRevoke: { ID: 5n } },
  ] satisfies Request[]) {
    assert.equal(rig.run(refused).error, errCorrupt.message);
  }
  assert.equal(rig.value("a"), "1");
  rig.run(alarm(Action.DEACTIVATE, AlarmType.CORRUPT));
  assert.equal(rig.put("a", "2").error, errNoSpace.message);
});

test("alarms are listed by type, raised once and cleared once", () => {
  const rig = new ApplyRig();
  const shown = (request: Request): string[] =>
    fromBinary(AlarmResponseSchema, rig.run(request).body).alarms.map(
      (a) => `${a.memberID}:${AlarmType[a.alarm]}`,
    );
  const { GET, ACTIVATE, DEACTIVATE } = Action;
  assert.deepEqual(shown(noSpaceOn), ["2:NOSPACE"]);
  assert.deepEqual(shown(noSpaceOn), ["2:NOSPACE"]);
  assert.deepEqual(shown(alarm(ACTIVATE, AlarmType.NONE)), []);
  assert.deepEqual(shown(alarm(ACTIVATE, AlarmType.CORRUPT, 3n)), ["3:CORRUPT"]);
  assert.deepEqual(shown(alarm(GET, AlarmType.NONE, 0n)), ["2:NOSPACE", "3:CORRUPT"]);
  assert.deepEqual(shown(alarm(GET, AlarmType.CORRUPT, 0n)), ["3:CORRUPT"]);
  assert.deepEqual(shown(alarm(DEACTIVATE, AlarmType.NOSPACE)), ["2:NOSPACE"]);
  assert.deepEqual(shown(alarm(DEACTIVATE, AlarmType.NOSPACE)), []);
  assert.deepEqual(shown(alarm(9 as never, AlarmType.NOSPACE)), []);
});

test("a write beyond the quota stands, its sender hears of it, and the alarm is asked for", () => {
  const rig = new ApplyRig(10_000);
  rig.usedBytes = 9_000;
  assert.equal(rig.put("a", "1").error, null);
  rig.usedBytes = 9_900;
  assert.equal(rig.put("a", "2").error, errNoSpace.message);
  assert.equal(rig.value("a"), "2");
  assert.equal(rig.noSpaceCount, 1);
  assert.equal(rig.run(grant(5n)).error, null); // 64 bytes still fit
  assert.equal(rig.put("b", "", { lease: 9n }).error, errLeaseNotFound.message);
  assert.equal(rig.noSpaceCount, 1); // what failed by itself raises nothing
});

test("an entry answers only where somebody waits, and takes effect everywhere", () => {
  const rig = new ApplyRig();
  const put = (key: string): Request => ({ put: { key: utf8(key), value: utf8("1") } });
  rig.entry(put("other"), (8n << 48n) | 1n); // another member's id
  rig.entry(put("gone"), (7n << 48n) | 99n); // ours, but nobody waits any more
  rig.entry(put("none"), 0n);
  assert.deepEqual(rig.outcomes, []);
  assert.equal(rig.store.currentRevision, 4);
  assert.deepEqual(
    ["other", "gone", "none"].map((key) => rig.value(key)),
    ["1", "1", "1"],
  );
});

test("rare requests are all timed, frequent ones by samples that stand for the others", () => {
  const rig = new ApplyRig();
  for (let i = 0; i < 340; i++) rig.run({ put: { key: utf8("k"), value: utf8("v") } });
  rig.run({ leaseGrant: { ID: 5n, TTL: 60n } });
  rig.run({ leaseRevoke: { ID: 6n } });
  const lines = rig.metrics.text().split("\n");
  assert.deepEqual(
    lines.filter((line) => line.startsWith("apply_count")),
    [
      'apply_count{op="Put",success="true",version="v3"} 340',
      'apply_count{op="LeaseGrant",success="true",version="v3"} 1',
      'apply_count{op="LeaseRevoke",success="false",version="v3"} 1',
    ],
  );
});

test("entries without a change pass: a range, a checkpoint, membership facts", () => {
  const rig = new ApplyRig();
  rig.run(grant(5n, 100n));
  const quiet: Request[] = [
    { range: { key: utf8("a") } },
    { leaseCheckpoint: { checkpoints: [{ ID: 5n, remainingTTL: 9n }] } },
    { clusterVersionSet: { ver: "3.7.0" } },
    { downgradeInfoSet: { enabled: true, ver: "3.6.0" } },
    { downgradeVersionTest: { ver: "3.6" } },
  ];
  for (const request of quiet) assert.equal(rig.run(request).error, null);
  assert.equal(rig.store.currentRevision, 1);
  assert.equal(rig.cluster.version, "3.7.0");
  assert.deepEqual(rig.cluster.downgrade, { isEnabled: true, targetVersion: "3.6.0" });
  rig.run({ downgradeInfoSet: { enabled: false, ver: "3.6.0" } });
  assert.deepEqual(rig.cluster.downgrade, { isEnabled: false, targetVersion: "" });
});

test("an entry that this version does not know stops the member", () => {
  const { applier } = new ApplyRig();
  const unknown = create(InternalRaftRequestSchema, { authEnable: {} });
  assert.throws(() => applier.apply(toBinary(InternalRaftRequestSchema, unknown)), /field 1000/);
});
