// CL1  The transport knows exactly the other members of the cluster as applied here.
// CL2  Nothing is sent to a member that was removed, and nothing of it is taken in.

import { MessageType, type Message } from "../raft/message.ts";
import type { RaftId } from "../raft/types.ts";
import type { Cluster } from "./member/cluster.ts";
import type { Member } from "./member/member.ts";
import type { ClusterStatus } from "./member/membership.ts";
import type { Node } from "./node.ts";
import type { PeerEvents, PeerTransport, SnapshotSink } from "./peer/peer-port.ts";
import type { SnapshotExchange } from "./snapshot-exchange.ts";

export interface ClusterLinkParts {
  readonly cluster: Cluster;
  readonly node: Node;
  /** Makes the transport; it reports to these events from its start. */
  readonly connect: (events: PeerEvents) => PeerTransport;
  readonly exchange: (link: ClusterLink) => SnapshotExchange;
  /** This member was removed from its cluster. */
  readonly removed: () => void;
}

/** Joins raft, the list of members and the transport. */
export class ClusterLink implements PeerEvents, ClusterStatus {
  readonly transport: PeerTransport;
  readonly exchange: SnapshotExchange;
  readonly #parts: ClusterLinkParts;

  constructor(parts: ClusterLinkParts) {
    this.#parts = parts;
    const { cluster } = parts;
    this.transport = parts.connect(this);
    this.exchange = parts.exchange(this);
    for (const member of cluster.members()) this.#add(member);
    cluster.addListener({
      added: (member) => {
        this.#add(member);
      },
      updated: ({ id, peerUrls }) => {
        if (id !== cluster.localId) this.transport.updatePeer(id, peerUrls);
      },
      removed: (id) => {
        if (id === cluster.localId) parts.removed();
        else this.transport.removePeer(id);
      },
      versionChanged: () => undefined,
    });
  }

  /** After a snapshot was installed: the members are those it holds (CL1). */
  reload(before: readonly Member[]): void {
    const { cluster } = this.#parts;
    for (const { id } of before) {
      if (id !== cluster.localId && cluster.member(id) === undefined) this.transport.removePeer(id);
    }
    for (const member of cluster.members()) {
      this.#add(member);
      if (member.id !== cluster.localId && isMoved(member, before)) {
        this.transport.updatePeer(member.id, member.peerUrls);
      }
    }
    if (cluster.isRemoved(cluster.localId)) this.#parts.removed();
  }

  /** Members of a cluster that this one joins: answered before the log names them. */
  addRemotes(members: readonly Member[]): void {
    const { cluster } = this.#parts;
    for (const { id, peerUrls } of members) {
      if (id !== cluster.localId && cluster.member(id) === undefined) {
        this.transport.addRemote(id, peerUrls);
      }
    }
  }

  send(messages: readonly Message[]): void {
    const hasSnapshot = messages.some((message) => message.type === MessageType.snapshot);
    if (!hasSnapshot) {
      this.transport.send(messages);
      return;
    }
    this.transport.send(messages.filter((message) => message.type !== MessageType.snapshot));
    for (const message of messages) {
      if (message.type === MessageType.snapshot) this.exchange.send(message);
    }
  }

  receive(message: Message): void {
    if (!this.isRemoved(message.from)) this.#parts.node.step(message); // CL2
  }

  unreachable(id: RaftId): void {
    this.#parts.node.reportUnreachable(id);
  }

  snapshotSent(id: RaftId, isDelivered: boolean): void {
    this.#parts.node.reportSnapshot(id, isDelivered);
  }

  isRemoved(id: RaftId): boolean {
    return this.#parts.cluster.isRemoved(id);
  }

  removedFromCluster(): void {
    this.#parts.removed();
  }

  receiveSnapshot(message: Message): SnapshotSink | null {
    return this.exchange.receive(message);
  }

  get isLeader(): boolean {
    return this.#parts.node.isLeader;
  }

  get leader(): RaftId {
    return this.#parts.node.leader;
  }

  matchOf(id: RaftId): number | null {
    const { cluster, node } = this.#parts;
    if (id === cluster.localId) return node.isLeader ? node.commitIndex : null;
    const found = node.progress().find((member) => member.id === id);
    return found?.match ?? null;
  }

  activeSince(id: RaftId): number | null {
    return id === this.#parts.cluster.localId ? 0 : this.transport.activeSince(id);
  }

  /** The leader, or a majority when this member leads, was connected all the time since then. */
  isConnectedSince(sinceMs: number): boolean {
    const { cluster, node } = this.#parts;
    const isConnected = (id: RaftId): boolean => {
      if (id === cluster.localId) return true;
      const since = this.activeSince(id);
      return since !== null && since < sinceMs;
    };
    if (!node.isLeader) return node.leader === 0n || isConnected(node.leader);
    const members = cluster.members();
    return 2 * members.filter(({ id }) => isConnected(id)).length > members.length;
  }

  /** Members connected now, this one too. */
  activeMembers(): number {
    const { cluster } = this.#parts;
    return cluster.members().filter(({ id }) => this.activeSince(id) !== null).length;
  }

  #add({ id, peerUrls }: Member): void {
    const { cluster } = this.#parts;
    if (id === cluster.localId || cluster.isRemoved(id)) return;
    this.transport.addPeer(id, peerUrls);
  }
}

/** It was there before, under other URLs. */
function isMoved({ id, peerUrls }: Member, before: readonly Member[]): boolean {
  const known = before.find((member) => member.id === id);
  return known !== undefined && known.peerUrls.join() !== peerUrls.join();
}
