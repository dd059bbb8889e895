/**
 * Who this member is: ids from the initial cluster, and the entries every first log begins with.
 */

import { utf8 } from "../base/bytes.ts";
import { encodeConfChange } from "../codec/conf-change.ts";
import { ConfChangeType, type ConfChange } from "../raft/message.ts";
import { encodeMember, type Member } from "./member/member.ts";
import { clusterId, memberId, type Sha1 } from "./member/member-id.ts";

export interface InitialCluster {
  /** The parsed --initial-cluster: name to its peer URLs. */
  readonly members: ReadonlyMap<string, readonly string[]>;
  readonly token: string;
  /** This member's name: one of `members`. */
  readonly localName: string;
}

export interface Identity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly members: readonly Member[];
}

/** The same ids that etcd derives from the same inputs. */
export function identify(initial: InitialCluster, sha1: Sha1): Identity {
  const members: Member[] = [];
  for (const [name, peerUrls] of initial.members) {
    const id = memberId({ peerUrls, clusterToken: initial.token }, sha1);
    members.push({ id, peerUrls, isLearner: false, name, clientUrls: [] });
  }
  members.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const local = members.find((m) => m.name === initial.localName);
  if (local === undefined) {
    throw new Error(
      `couldn't find local name "${initial.localName}" in the initial cluster configuration`,
    );
  }
  const ids = members.map((m) => m.id);
  return { clusterId: clusterId(ids, sha1), memberId: local.id, members };
}

/** One ConfChange per member, as etcd's first log entries hold them. */
export function bootstrapChanges(
  members: readonly Member[],
): { change: ConfChange; data: Uint8Array }[] {
  return members.map((member) => {
    const change = { type: ConfChangeType.addNode, nodeId: member.id };
    const context = utf8(encodeMember(member));
    return { change, data: encodeConfChange({ id: 0n, ...change, context }) };
  });
}
