// FN1  The configuration afterwards is made from one place, the log: it ends with changes that
//      leave this member alone and a voter. Members' rows and raft's configuration follow by
//      applying it.
// FN2  Nothing that this member has on disk is dropped: with the other members gone, nobody can
//      say that an entry was not committed, and it may have been acknowledged.

import { utf8 } from "../base/bytes.ts";
import { confChangeType, decodeConfChange, encodeConfChange } from "../codec/conf-change.ts";
import { EntryType, type Entry, type HardState } from "../raft/types.ts";
import type { Cluster } from "./member/cluster.ts";
import { encodeMember, encodePromotion } from "./member/member.ts";

export interface ForceInput {
  /** As of the applied index. */
  readonly cluster: Pick<Cluster, "localId" | "members" | "isRemoved">;
  readonly appliedIndex: number;
  /** The log; what is applied is passed over. */
  readonly entries: readonly Entry[];
  readonly lastIndex: number;
  readonly hardState: HardState;
  /** Of this member, should nobody know it any more. */
  readonly peerUrls: readonly string[];
}

export interface ForcedLog {
  /** To be put behind the log, durably, before raft starts. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
}

/** Throws when the member was removed from its cluster: it has no place to come back to. */
export function forceNewCluster(input: ForceInput): ForcedLog {
  const { cluster, hardState, lastIndex } = input;
  const { localId } = cluster;
  if (cluster.isRemoved(localId)) {
    throw new Error(
      `Cannot force a new cluster: member ${localId.toString(16)} was removed from its cluster; ` +
        "wanted the data of one that was not",
    );
  }
  const learners = membersAtEnd(input);
  const datas: Uint8Array[] = [];
  const local = learners.get(localId);
  // This member first: there is a voter at every step.
  if (local !== false) {
    const { addNode: type } = confChangeType;
    const { peerUrls } = input;
    const added = { id: localId, peerUrls, isLearner: false, name: "", clientUrls: [] };
    const context = utf8(local === true ? encodePromotion(localId) : encodeMember(added));
    datas.push(encodeConfChange({ id: 0n, type, nodeId: localId, context }));
  }
  const others = [...learners.keys()].filter((id) => id !== localId);
  others.sort((a, b) => (a < b ? -1 : 1));
  for (const nodeId of others) {
    const context = new Uint8Array(0);
    datas.push(encodeConfChange({ id: 0n, type: confChangeType.removeNode, nodeId, context }));
  }
  const entries = datas.map((data, i) => ({
    ...{ type: EntryType.confChange, data },
    ...{ term: hardState.term, index: lastIndex + 1 + i },
  }));
  return { entries, hardState: { ...hardState, commit: lastIndex + entries.length } }; // FN2
}

/**
 * Everyone who may be a member once the whole log is applied, and whether a learner. Changes that
 * are refused when applied can only add ids, whose removal will be refused too.
 */
function membersAtEnd({ cluster, entries, appliedIndex }: ForceInput): Map<bigint, boolean> {
  const learners = new Map(cluster.members().map((m) => [m.id, m.isLearner]));
  for (const entry of entries) {
    if (entry.index <= appliedIndex || entry.type !== EntryType.confChange) continue;
    const { type, nodeId } = decodeConfChange(entry.data);
    if (type === confChangeType.addNode) learners.set(nodeId, false);
    else if (type === confChangeType.addLearnerNode) learners.set(nodeId, true);
    else if (type === confChangeType.removeNode) learners.delete(nodeId);
  }
  return learners;
}
