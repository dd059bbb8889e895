import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./cluster.ts";

// Seen to fail when Node.#settle() takes every Ready for synced: members acknowledge and commit
// what their disks do not have yet.
test("etcd 14140, 14143 (row 29): what was answered survives all members' power loss at once", () => {
  // Disks slower than the network: what is not waited for is lost.
  using cluster = new Cluster({ inlineEntriesMax: 0 });
  for (const { disk } of cluster.members) disk.delayMsMax = 30;
  for (let round = 0; round < 12; round++) {
    const value = String(round);
    const target = cluster.members[round % 3]!;
    // Others are under way, at every stage.
    for (const member of cluster.members) {
      cluster.askKv(member, { kind: "put", key: `pending ${round}`, value });
    }
    cluster.put(target, "key", value);
    // No event between the answer and the loss of power.
    cluster.crash(...cluster.members);
    cluster.start(...cluster.members);
    for (const member of cluster.members) assert.equal(cluster.get(member, "key"), value);
  }
  cluster.checkEqual();
});
