/** What the transport and the peer listeners are made from, and how they meet. */

import type { Logger } from "../../base/log.ts";
import type { Clock, Turn } from "../../base/ports.ts";
import type { RaftId } from "../../raft/types.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerEvents, PeerService, PeerTransport } from "./peer-port.ts";

/** Who we are, as every request says and every answer repeats. */
export interface PeerIdentity {
  readonly localId: RaftId;
  readonly clusterId: bigint;
  /** Our own peer URLs, told to peers in X-PeerURLs. */
  readonly peerUrls: readonly string[];
}

/** PEM texts; for dialled connections and for the listeners alike. */
export interface PeerTls {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  readonly trustedCa?: string | Uint8Array;
  /** Peers that dial must show a certificate that `trustedCa` signed. */
  readonly clientCertAuth?: boolean;
}

export interface PeerTransportOptions {
  readonly identity: PeerIdentity;
  readonly events: PeerEvents;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly metrics: PeerMetrics;
  readonly tls?: PeerTls;
  readonly limits?: Partial<PeerLimits>;
  /** Given, heartbeats to a follower that are late by one more interval are counted and logged. */
  readonly heartbeatIntervalMs?: number;
}

/** The transport over real sockets: `createPeerTransport(options)`. */
export interface LivePeerTransport extends PeerTransport {
  /** For `listenPeers`: what peers that dial us reach. */
  readonly inbound: PeerInbound;
}

export type StreamKind = "msgapp" | "message";

/** Where a stream's bytes go: the connection a peer dialled. */
export interface StreamSink {
  /**
   * `bytes` must not change until `done`; one write at a time.
   */
  write(bytes: Uint8Array, done: (error: Error | null) => void): void;
  destroy(): void;
}

/** The side of the transport that the listeners use. */
export interface PeerInbound {
  readonly identity: PeerIdentity;
  readonly events: PeerEvents;
  readonly metrics: PeerMetrics;
  readonly limits: PeerLimits;
  isPeer(id: RaftId): boolean;
  addRemote(id: RaftId, urls: readonly string[]): void;
  /** A peer dialled: its stream of this kind is now that connection. */
  attach(id: RaftId, kind: StreamKind, sink: StreamSink): StreamHold;
}

/** The listener's end of an attached stream. */
export interface StreamHold {
  /** The connection ended. */
  closed(error: Error | null): void;
}

export interface PeerListenOptions {
  /** http(s)://host:port, unix(s)://path */
  readonly urls: readonly string[];
  readonly inbound: PeerInbound;
  readonly services: readonly PeerService[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly tls?: PeerTls;
}

/** Open listeners: `listenPeers(options, done)`, which opens all URLs or none. */
export interface PeerListener {
  /** Bound ports, in the order of the URLs; 0 for a unix socket. */
  readonly ports: readonly number[];
  /** Stops accepting and ends every connection. */
  close(done: () => void): void;
}
