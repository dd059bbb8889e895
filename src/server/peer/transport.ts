/**
 * etcd's peer protocol as the PeerTransport of the server: every other member, its channels, and
 * what peers that dial us attach to. Sockets are the dialer's and the listener's.
 *
 * TP1  Nothing here blocks or throws at the caller, and no event is raised inside a call of his.
 * TP2  What is sent in one turn is encoded at once and leaves each stream in one write at its end.
 * TP3  Peers share encoded entries and nothing else: no queue, no socket, no timer.
 */
import { emptyBytes } from "../../base/bytes.ts";
import type { Done } from "../../base/ports.ts";
import type { Message } from "../../raft/message.ts";
import type { RaftId } from "../../raft/types.ts";
import { SharedEntries } from "./append-frames.ts";
import type { Dialer } from "./dial-port.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { messageType, messageTypeName } from "./message-type.ts";
import { hex, requestHeaders } from "./peer-headers.ts";
import { peerLimits, type PeerLimits } from "./peer-limits.ts";
import type { LivePeerTransport, PeerInbound, PeerTransportOptions } from "./peer-options.ts";
import type { PeerAnswer, PeerRequest, SnapshotSource } from "./peer-port.ts";
import { PeerClient } from "./peer-client.ts";
import { Peer, type PeerDeps, Remote } from "./peer.ts";
import type { StreamWriter } from "./stream-writer.ts";

const noAnswer: PeerAnswer = { status: 0, body: emptyBytes };

export class Transport implements LivePeerTransport {
  readonly inbound: PeerInbound;
  readonly #options: PeerTransportOptions;
  readonly #limits: PeerLimits;
  readonly #dialer: Dialer;
  readonly #client: PeerClient;
  readonly #deps: PeerDeps;
  readonly #heartbeats: HeartbeatWatch | null;
  readonly #peers = new Map<RaftId, Peer>();
  readonly #remotes = new Map<RaftId, Remote>();
  readonly #shared = new SharedEntries();
  #dirty: StreamWriter[] = [];
  /** To be reported in the next turn (TP1). */
  readonly #unreachable = new Set<RaftId>();
  #isStopped = false;
  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const writer of dirty) writer.flush();
    this.#shared.reset();
  };

  constructor(options: PeerTransportOptions, dialer: Dialer) {
    const { identity, events, metrics, clock } = options;
    this.#options = options;
    this.#limits = { ...peerLimits, ...options.limits };
    this.#dialer = dialer;
    this.#client = new PeerClient({ dialer, clock, limits: this.#limits });
    this.#heartbeats =
      options.heartbeatIntervalMs === undefined
        ? null
        : new HeartbeatWatch({ ...options, intervalMs: options.heartbeatIntervalMs });
    this.#deps = this.#peerDeps();
    this.inbound = {
      ...{ identity, events, metrics, limits: this.#limits },
      isPeer: (id) => this.#peers.has(id),
      addRemote: (id, urls) => {
        if (this.#remotes.size < this.#limits.remotesMax) this.addRemote(id, urls);
      },
      attach: (id, kind, sink) => {
        const peer = this.#peers.get(id);
        if (peer !== undefined) return peer.attach(kind, sink);
        sink.destroy();
        return { closed() {} };
      },
    };
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === 0n) continue; // dropped on purpose by whoever made it
      const peer = this.#peers.get(message.to);
      if (peer !== undefined) {
        if (message.type === messageType.heartbeat) this.#heartbeats?.sent(message);
        peer.send(message);
        continue;
      }
      const remote = this.#remotes.get(message.to);
      if (remote !== undefined) {
        remote.send(message);
        continue;
      }
      this.#options.log.debug("ignored message send request; unknown remote peer target", {
        type: messageTypeName(message.type),
        "unknown-target-peer-id": hex(message.to),
      });
    }
  }

  sendSnapshot(to: RaftId, source: SnapshotSource): void {
    const peer = this.#peers.get(to);
    if (peer !== undefined) {
      peer.sendSnapshot(source);
      return;
    }
    source.close();
    this.#deps.snapshotSent(to, false);
  }

  addPeer(id: RaftId, urls: readonly string[]): void {
    if (this.#isStopped || this.#peers.has(id)) return;
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    this.#peers.set(id, new Peer(this.#deps, id, urls));
    const { identity, metrics, log } = this.#options;
    metrics.knownPeers.with(hex(identity.localId), hex(id)).value = 1;
    log.info("added remote peer", {
      "local-member-id": hex(identity.localId),
      "remote-peer-id": hex(id),
      "remote-peer-urls": urls,
    });
  }

  addRemote(id: RaftId, urls: readonly string[]): void {
    const { identity, log } = this.#options;
    const isKnown = this.#peers.has(id) || this.#remotes.has(id) || id === identity.localId;
    if (this.#isStopped || isKnown || urls.length === 0) return;
    this.#remotes.set(id, new Remote(this.#deps, id, urls));
    log.info("added new remote peer", {
      "local-member-id": hex(identity.localId),
      "remote-peer-id": hex(id),
      "remote-peer-urls": urls,
    });
  }

  updatePeer(id: RaftId, urls: readonly string[]): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.update(urls);
    const { identity, log } = this.#options;
    log.info("updated remote peer", {
      "local-member-id": hex(identity.localId),
      "updated-remote-peer-id": hex(id),
      "updated-remote-peer-urls": urls,
    });
  }

  removePeer(id: RaftId): void {
    const { identity, log, metrics } = this.#options;
    const about = {
      "local-member-id": hex(identity.localId),
      "removed-remote-peer-id": hex(id),
    };
    const peer = this.#peers.get(id);
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    if (peer === undefined) {
      log.warn("skipped removing already removed peer", about);
      return;
    }
    this.#peers.delete(id);
    peer.stop();
    this.#heartbeats?.forget(id);
    metrics.knownPeers.with(hex(identity.localId), hex(id)).value = 0;
    log.info("removed remote peer", about);
  }

  activeSince(id: RaftId): number | null {
    return this.#peers.get(id)?.activeSince ?? null;
  }

  call(id: RaftId, request: PeerRequest, done: Done<PeerAnswer>): void {
    const urls = (this.#peers.get(id) ?? this.#remotes.get(id))?.urls;
    if (urls === undefined) {
      this.#options.turn.next(() => {
        done(new Error("member not found"), noAnswer);
      });
      return;
    }
    this.#client.call(urls, { ...request, headers: requestHeaders(this.#options.identity) }, done);
  }

  stop(done: () => void): void {
    this.#isStopped = true;
    for (const peer of this.#peers.values()) peer.stop();
    for (const remote of this.#remotes.values()) remote.stop();
    this.#peers.clear();
    this.#remotes.clear();
    this.#client.close();
    this.#dialer.close();
    this.#options.turn.next(done);
  }

  #peerDeps(): PeerDeps {
    const { identity, events, clock, turn, log, metrics } = this.#options;
    return {
      ...{ identity, events, clock, turn, log, metrics },
      limits: this.#limits,
      dialer: this.#dialer,
      shared: this.#shared,
      wantFlush: (writer) => {
        if (this.#dirty.length === 0) turn.atEnd(this.#flush);
        this.#dirty.push(writer);
      },
      unreachable: (id) => {
        this.#reportUnreachable(id);
      },
      snapshotSent: (id, isDelivered) => {
        turn.next(() => {
          if (!this.#isStopped) events.snapshotSent(id, isDelivered);
        });
      },
    };
  }

  #reportUnreachable(id: RaftId): void {
    if (this.#unreachable.size === 0) {
      this.#options.turn.next(() => {
        const ids = [...this.#unreachable];
        this.#unreachable.clear();
        if (this.#isStopped) return;
        for (const lost of ids) this.#options.events.unreachable(lost);
      });
    }
    this.#unreachable.add(id);
  }
}
