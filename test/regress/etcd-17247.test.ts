import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { MemberRig } from "../snapshot/member-rig.ts";

// Seen to fail when Txn.end() keeps its list of events for the next transaction.
test("etcd 17247 (row 36): events of transactions of a turn are not mixed or doubled", async () => {
  const rig = new MemberRig();
  const live = rig.watch();
  const expected: string[] = [];
  for (let round = 0; round < 20; round++) {
    const txn = rig.state.store.begin();
    for (let i = 0; i <= round % 4; i++) {
      txn.put(utf8("a"), utf8(`${round}`), 0n);
      txn.put(utf8(`b${i}`), utf8("v"), 0n);
    }
    if (round % 3 === 0) txn.deleteRange(utf8("a"), new Uint8Array(0));
    const revision = txn.end();
    rig.state.writer.applied(++rig.index, 1);
    for (let i = 0; i <= round % 4; i++)
      expected.push(`put a@${revision}`, `put b${i}@${revision}`);
    if (round % 3 === 0) expected.push(`del a@${revision}`);
  }
  const late = rig.watch({ startRevision: 1 });
  await rig.settled();
  assert.deepEqual(live.eventsOf(0), expected);
  assert.deepEqual(late.eventsOf(0), expected);
  await rig.close();
});
