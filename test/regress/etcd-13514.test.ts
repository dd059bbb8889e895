import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../src/base/random.ts";
import { Rig } from "../mvcc/rig.ts";

// Seen to fail when BackendWriter.#close() gives the consistent index to a commit of its own,
// before the rows (an entry is skipped) or behind them (it is applied twice).
test("etcd 13514 (row 3): whatever commits a crash keeps, rows and index are of one entry", () => {
  const random = createRandom(11);
  const rig = new Rig();
  for (let entry = 1; entry <= 60; entry++) {
    rig.put(`k${random.below(9)}`, String(entry));
    if (random.below(3) === 0) rig.hand.advance(100);
    if (random.below(4) === 0) rig.backend.flush();
    for (let kept = 0; kept <= rig.backend.pending; kept++) {
      const after = new Rig(rig.backend.crashCopy(kept));
      assert.equal(after.store.currentRevision, after.index + 1, "one revision per entry");
      // The log gives what is behind the index again.
      for (let again = after.index + 1; again <= entry; again++) after.put("k", "again");
      assert.equal(after.store.currentRevision, rig.store.currentRevision);
    }
  }
});
