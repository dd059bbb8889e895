import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "../mvcc/rig.ts";

test("etcd 17780: a crash anywhere in a compaction does not lower the revision", () => {
  const rig = new Rig();
  rig.put("k", "v");
  const tombstone = rig.delete("k");
  rig.settle();
  rig.compact(tombstone);
  rig.settle();
  // This compaction removes the newest row, that of the tombstone below it.
  const nothing = rig.store.begin();
  nothing.put(Buffer.from("x"), Buffer.from(""), 0n);
  nothing.deleteRange(Buffer.from("x"), Buffer.from(""));
  const last = rig.entry(nothing.end());
  rig.compact(last);
  for (let step = 0; step < 20; step++) {
    rig.hand.turn();
    rig.hand.advance(10);
    rig.backend.flush();
    const after = new Rig(rig.backend.crashCopy());
    const expected = after.index < rig.index - 1 ? tombstone : last;
    assert.equal(after.store.currentRevision, expected);
    after.settle();
    assert.equal(after.store.currentRevision, expected);
  }
});
