import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterLink, type ClusterLinkParts } from "./cluster-link.ts";
import type { Member } from "./member/member.ts";
import type { PeerTransport } from "./peer/peer-port.ts";
import type { SnapshotExchange } from "./snapshot-exchange.ts";

function member(id: bigint, ...peerUrls: string[]): Member {
  return { id, peerUrls, isLearner: false, name: "", clientUrls: [] };
}

test("after an install the transport knows the members of the snapshot, where they are now", () => {
  let members = [member(1n, "http://a"), member(2n, "http://b"), member(3n, "http://c")];
  const told: string[] = [];
  const transport = {
    addPeer: (id: bigint, urls: readonly string[]) => told.push(`add ${id} ${urls.join()}`),
    updatePeer: (id: bigint, urls: readonly string[]) => told.push(`update ${id} ${urls.join()}`),
    removePeer: (id: bigint) => told.push(`remove ${id}`),
  };
  const cluster = {
    localId: 1n,
    members: () => members,
    member: (id: bigint) => members.find((other) => other.id === id),
    isRemoved: () => false,
    addListener: () => undefined,
  };
  const link = new ClusterLink({
    cluster: cluster as unknown as ClusterLinkParts["cluster"],
    node: {} as unknown as ClusterLinkParts["node"],
    connect: () => transport as unknown as PeerTransport,
    exchange: () => ({}) as unknown as SnapshotExchange,
    removed: () => undefined,
  });
  const before = members;
  members = [member(1n, "http://a2"), member(2n, "http://b2"), member(4n, "http://d")];
  told.length = 0;
  link.reload(before);
  const changes = told.filter((text) => !text.startsWith("add 2"));
  assert.deepEqual(changes, ["remove 3", "update 2 http://b2", "add 4 http://d"]);
});
