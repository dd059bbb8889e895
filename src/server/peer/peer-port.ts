/**
 * The door to the other members. `transport.ts` is the real one (etcd's peer protocol); the
 * simulator has its own. No method blocks or throws; what cannot be delivered is reported.
 */

import type { Done } from "../../base/ports.ts";
import type { Message } from "../../raft/message.ts";
import type { RaftId } from "../../raft/types.ts";

/** What a peer asks of us, and what the transport learns about peers. Implemented by the server. */
export interface PeerEvents {
  /** A message for raft: type, from, to and cluster were checked. */
  receive(message: Message): void;
  /** The peer could not be reached, or messages to it were dropped. */
  unreachable(id: RaftId): void;
  /** The snapshot sent to the peer arrived whole, or did not. */
  snapshotSent(id: RaftId, isDelivered: boolean): void;
  /** The id was a member once and is none any more. */
  isRemoved(id: RaftId): boolean;
  /** A peer said that this member was removed from the cluster for good: it should stop. */
  removedFromCluster(): void;
  /**
   * A database file arrives: `message` is its MsgSnap. Answers where to put the bytes; null refuses
   * (another one is being received, or the index is behind ours). Stepping the message into raft is
   * the sink's own, in `end`.
   */
  receiveSnapshot(message: Message): SnapshotSink | null;
}

/** Where the bytes of an arriving database file go, in order. */
export interface SnapshotSink {
  /** `done` asks for the next piece (back-pressure). */
  write(bytes: Uint8Array, done: Done): void;
  /** The sender said that was all: verify, install; `done` tells what to answer the sender. */
  end(done: Done): void;
  /** The connection broke: forget everything. */
  abort(): void;
}

/** A database file to send, in pieces. */
export interface SnapshotSource {
  /** The MsgSnap to put in front, with the metadata of exactly this file. */
  readonly message: Message;
  readonly sizeBytes: number;
  /** The next piece; null at the end. */
  read(done: Done<Uint8Array | null>): void;
  close(): void;
}

export interface PeerTransport {
  /**
   * Sends or drops, in order per peer and channel; messages to 0n or to unknown ids are ignored.
   * Never a MsgSnap. What was given in one turn leaves together at its end.
   */
  send(messages: readonly Message[]): void;
  /** Closes the source in every case and tells PeerEvents.snapshotSent how it ended. */
  sendSnapshot(to: RaftId, source: SnapshotSource): void;
  addPeer(id: RaftId, urls: readonly string[]): void;
  /** A member learnt of before its ConfChange was applied: it may be answered over the pipeline. */
  addRemote(id: RaftId, urls: readonly string[]): void;
  /** New URLs; running streams stay until they break, as in etcd. Unknown ids are ignored. */
  updatePeer(id: RaftId, urls: readonly string[]): void;
  removePeer(id: RaftId): void;
  /** Clock.now() of when the peer became active; null while it is not. */
  activeSince(id: RaftId): number | null;
  /**
   * One request to a peer's HTTP handler (leases, promote, hashkv, version ...), bounded in time:
   * every URL of the peer is tried until one answers. An answer of any status is no error.
   */
  call(id: RaftId, request: PeerRequest, done: Done<PeerAnswer>): void;
  stop(done: () => void): void;
}

export interface PeerRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
  /** For a forwarded call: the caller's token. */
  readonly authorization?: string;
  readonly timeoutMs: number;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * What a peer may ask over HTTP beside raft's messages; served by the server core. The listener
 * answers other methods (405), bounds the body and adds X-Etcd-Cluster-ID where etcd does.
 */
export interface PeerService {
  readonly method: "GET" | "POST";
  /** The whole path, or a prefix when it ends with a slash. */
  readonly path: string;
  handle(request: PeerServiceRequest, done: (answer: PeerReply) => void): void;
}

export interface PeerReply extends PeerAnswer {
  readonly contentType: string;
}

export interface PeerServiceRequest {
  readonly path: string;
  readonly body: Uint8Array;
  /** The Authorization header; empty without one. */
  readonly authorization: string;
}
