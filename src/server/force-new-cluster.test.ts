import assert from "node:assert/strict";
import { test } from "node:test";
import { silent } from "../../test/mvcc/rig.ts";
import { utf8 } from "../base/bytes.ts";
import { confChangeType, decodeConfChange, encodeConfChange } from "../codec/conf-change.ts";
import { EntryType, type Entry } from "../raft/types.ts";
import { forceNewCluster } from "./force-new-cluster.ts";
import { Cluster } from "./member/cluster.ts";
import { encodeMember, encodePromotion, type Member } from "./member/member.ts";

const { addNode, addLearnerNode, removeNode } = confChangeType;

function change(type: number, nodeId: bigint, more: Partial<Member> = {}): Uint8Array {
  const peerUrls = [`http://h${nodeId}:1`];
  const member = { id: nodeId, peerUrls, isLearner: false, name: "", clientUrls: [], ...more };
  return encodeConfChange({ id: 0n, type, nodeId, context: utf8(encodeMember(member)) });
}
const learner = (id: bigint): Uint8Array => change(addLearnerNode, id, { isLearner: true });
const promotion = (nodeId: bigint): Uint8Array =>
  encodeConfChange({ id: 0n, type: addNode, nodeId, context: utf8(encodePromotion(nodeId)) });

/**
 * The members that member `localId` ends up with, having applied the first `applied` of the log's
 * changes when it was forced to be alone.
 */
function membersAfter(localId: bigint, applied: number, log: readonly Uint8Array[]) {
  const rows = { put: () => undefined, delete: () => undefined };
  const ids = { clusterId: 1n, localId };
  const cluster = new Cluster(ids, rows, { log: silent, learnersMax: 2 });
  const apply = (data: Uint8Array): unknown => cluster.apply(decodeConfChange(data));
  for (const data of log.slice(0, applied)) apply(data);
  const entries: Entry[] = log.map((data, i) => ({
    ...{ type: EntryType.confChange, term: 3, index: i + 1, data },
  }));
  entries.push({ type: EntryType.normal, term: 4, index: log.length + 1, data: utf8("x") });
  const forced = forceNewCluster({
    ...{ cluster, entries, appliedIndex: applied, lastIndex: log.length + 1 },
    hardState: { term: 4, vote: 9n, commit: 1 },
    peerUrls: ["http://own:1"],
  });
  for (const data of log.slice(applied)) apply(data);
  for (const { data } of forced.entries) apply(data);
  return { cluster, forced };
}

test("etcd-20896, etcd-20071 (row 23): only this member is left, as a voter, learners go too", () => {
  const log = [change(addNode, 1n), change(addNode, 2n), learner(3n), learner(4n)];
  for (const localId of [1n, 2n, 3n, 4n]) {
    for (let applied = 0; applied <= log.length; applied++) {
      const { cluster } = membersAfter(localId, applied, log);
      const left = cluster.members().map((m) => [m.id, m.isLearner, m.peerUrls.join()]);
      assert.deepEqual(left, [[localId, false, `http://h${localId}:1`]]);
    }
  }
});

test("changes that the log ends with are taken into account, refused ones too", () => {
  const log = [
    ...[change(addNode, 1n), change(addNode, 2n), change(addNode, 2n), learner(3n)],
    ...[promotion(3n), promotion(7n), encodeConfChange(removal(2n)), change(addNode, 5n)],
  ];
  for (let applied = 0; applied <= log.length; applied++) {
    const { cluster } = membersAfter(3n, applied, log);
    assert.deepEqual(
      cluster.members().map((m) => m.id),
      [3n],
    );
  }
});

const removal = (nodeId: bigint) => ({
  ...{ id: 0n, type: removeNode, nodeId, context: new Uint8Array(0) },
});

test("the changes follow the log, and all of it counts as committed", () => {
  const { forced } = membersAfter(1n, 1, [change(addNode, 1n), change(addNode, 2n), learner(3n)]);
  assert.deepEqual(
    forced.entries.map((e) => [e.index, e.term, decodeConfChange(e.data).nodeId]),
    [
      [5, 4, 2n],
      [6, 4, 3n],
    ],
  );
  assert.deepEqual(forced.hardState, { term: 4, vote: 9n, commit: 6 });
});

test("a member that nobody knows adds itself; one that was removed cannot", () => {
  const { cluster } = membersAfter(9n, 1, [change(addNode, 1n), change(addNode, 2n)]);
  assert.deepEqual(
    cluster.members().map((m) => [m.id, m.peerUrls.join()]),
    [[9n, "http://own:1"]],
  );
  const log = [change(addNode, 1n), change(addNode, 2n), encodeConfChange(removal(2n))];
  assert.throws(() => membersAfter(2n, 3, log), /member 2 was removed from its cluster/);
});
