import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRevision } from "../../src/server/mvcc/revision.ts";
import { Rig } from "../mvcc/rig.ts";

// Seen to fail when restore() takes the newest row's revision, and compaction lets the tombstone go
// that is the newest row; either rule alone suffices here.
test("etcd 17780 (row 10): a crash anywhere in a compaction does not lower the revision", () => {
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

// Seen to fail when restore() takes the newest row alone, and when C1 is broken: compact() does not
// write the scheduled revision.
test("etcd 17780 (row 10): rows that an older etcd removed do not lower the revision", () => {
  for (const isFinished of [false, true]) {
    const rig = new Rig();
    rig.put("k", "v");
    const tombstone = rig.delete("k");
    rig.compact(tombstone);
    if (isFinished) rig.settle();
    // Up to 3.5 the tombstone at the revision went, too.
    for (const [main, isDelete] of [
      [tombstone - 1, false],
      [tombstone, true],
    ] as const) {
      rig.writer.delete("key", encodeRevision(main, 0, isDelete));
    }
    rig.writer.commit(() => undefined);
    rig.entry(null);
    while (rig.backend.flush());
    const after = rig.restart();
    assert.equal(after.store.currentRevision, tombstone);
    after.settle();
    assert.equal(after.put("k", "v"), tombstone + 1);
  }
});
