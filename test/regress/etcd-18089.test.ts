import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../../src/base/etcd-errors.ts";
import { Rig } from "../mvcc/rig.ts";

// Seen to fail when KeyIndex.firstRemovable() lets a tombstone at the compact revision go.
for (const isRestarted of [false, true]) {
  test(`etcd 18089 (row 38): compaction at a delete keeps its event${isRestarted ? ", also over a restart" : ""}`, () => {
    let rig = new Rig();
    rig.put("k", "v");
    const deleted = rig.delete("k");
    rig.put("other", "v");
    assert.equal(rig.compact(deleted), null);
    rig.settle();
    if (isRestarted) rig = rig.restart();
    const batch = rig.store.history(deleted, Infinity, { events: 10, bytes: 1000 });
    assert.ok(!(batch instanceof EtcdError));
    assert.deepEqual(
      batch.events.map((event) => [event.isDelete, event.modRevision]),
      [
        [true, deleted],
        [false, deleted + 1],
      ],
    );
  });
}
