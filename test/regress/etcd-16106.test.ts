import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { AlarmRequest_AlarmAction, AlarmType } from "../../src/gen/rpc_pb.js";
import { ApplyRig, type Request } from "../apply/rig.ts";

const noSpace = "etcdserver: mvcc: database space exceeded";
const quotaBytes = 1_000_000;

function write(key: string): Request {
  return { put: { key: utf8(key), value: utf8("v") } };
}

// Seen to fail when Applier refuses a put for its own quota before it runs it.
test("etcd 16106 (row 55): a member at its quota differs from others only when the log says so", () => {
  const [full, empty] = [new ApplyRig(quotaBytes), new ApplyRig(quotaBytes)];
  full.usedBytes = quotaBytes;
  const both = [full, empty];
  assert.deepEqual(
    both.map((rig) => rig.run(write("a")).error),
    [noSpace, null],
  );
  assert.deepEqual([full.noSpaceCount, empty.noSpaceCount], [1, 0], "an alarm is asked for");
  for (const rig of both) {
    const txn = { success: [{ request: { case: "requestPut", value: write("b").put } }] };
    rig.run({ txn } as unknown as Request);
    rig.run({ leaseGrant: { ID: 5n, TTL: 10n } });
  }
  const stateOf = (rig: ApplyRig): unknown => [
    rig.store.currentRevision,
    rig.lessor.ids(),
    rig.value("a"),
    rig.value("b"),
    rig.alarms.noSpace,
  ];
  assert.deepEqual(stateOf(full), [3, [5n], "v", "v", false]);
  assert.deepEqual(stateOf(empty), stateOf(full));

  // The alarm comes over the log: now both refuse, whatever room they have.
  for (const rig of both) {
    rig.run({
      alarm: { action: AlarmRequest_AlarmAction.ACTIVATE, memberID: 2n, alarm: AlarmType.NOSPACE },
    });
    assert.equal(rig.run(write("c")).error, noSpace);
  }
  assert.deepEqual(stateOf(empty), stateOf(full));
});
