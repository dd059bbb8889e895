/** What a member does as a member of its cluster, apart from raft: one object for the core. */

import type { EtcdError } from "../base/etcd-errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/ports.ts";
import { encodeClusterVersionSet } from "../codec/membership.ts";
import type { SoftState } from "../raft/types.ts";
import { requestField } from "./apply/fields.ts";
import { ConfChangeProposer } from "./conf-change-proposer.ts";
import type { ServerConfig } from "./config/config.ts";
import type { Cluster } from "./member/cluster.ts";
import { LeaderTransfers } from "./member/leader-transfer.ts";
import type { Sha1 } from "./member/member-id.ts";
import { Membership, type ClusterStatus } from "./member/membership.ts";
import { createMemberServices } from "./member/peer-services.ts";
import { VersionMonitor } from "./member/version-monitor.ts";
import type { Node } from "./node.ts";
import type { PeerService, PeerTransport } from "./peer/peer-port.ts";
import { Publisher } from "./publish.ts";
import { requestTimeout } from "./request-timeout.ts";
import type { Proposer } from "./rpc/services.ts";

export interface MemberLifeParts {
  readonly config: ServerConfig;
  readonly cluster: Cluster;
  readonly node: Node;
  readonly status: ClusterStatus;
  readonly proposer: Proposer;
  readonly peers: Pick<PeerTransport, "call">;
  readonly transferLeader: (to: bigint) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sha1: Sha1;
}

export class MemberLife {
  readonly membership: Membership;
  readonly transfers: LeaderTransfers;
  /** For the peer port. */
  readonly peerServices: readonly PeerService[];
  readonly #parts: MemberLifeParts;
  readonly #versions: VersionMonitor;
  #publisher: Publisher | null = null;

  constructor(parts: MemberLifeParts) {
    this.#parts = parts;
    const { config, cluster, node, status, clock, log, peers } = parts;
    const { electionTimeoutMs } = config;
    const requestTimeoutMs = requestTimeout(electionTimeoutMs);
    const changes = new ConfChangeProposer({ node, clock, requestTimeoutMs });
    this.membership = new Membership({
      ...{ cluster, status, peers, clock, log, requestTimeoutMs, sha1: parts.sha1 },
      isStrict: config.strictReconfigCheck,
      propose: (change, done) => {
        changes.propose(change, done);
      },
      catchUp: (ready) => {
        node.gate.read({ ready });
      },
    });
    this.#versions = new VersionMonitor({
      ...{ cluster, clock, log, peers, requestTimeoutMs },
      isLeader: () => status.isLeader,
      propose: (version, done) => {
        this.#proposeVersion(version, done);
      },
    });
    this.transfers = new LeaderTransfers({
      ...{ cluster, status, clock, log, electionTimeoutMs, requestTimeoutMs },
      transfer: parts.transferLeader,
    });
    this.peerServices = createMemberServices({ cluster, membership: this.membership, log });
  }

  /** To be called before the node starts; `published` is called once. */
  start(published: () => void): void {
    const { config, cluster, proposer, clock, log } = this.#parts;
    this.#publisher = new Publisher({
      ...{ cluster, proposer, clock, log, name: config.name, done: published },
      clientUrls: config.advertiseClientUrls.map((url) => url.text),
    });
    this.#versions.look();
  }

  /** Raft has a new leader, or none, or the local role changed. */
  leaderChanged({ leader, role }: SoftState): void {
    this.transfers.leaderChanged(leader);
    if (leader !== 0n) this.#publisher?.leaderKnown();
    if (role === "leader") this.#versions.look();
  }

  /** A snapshot has taken the place of the state. */
  installed(): void {
    this.#publisher?.installed();
  }

  stop(): void {
    this.#versions.stop();
  }

  #proposeVersion(version: string, done: (error: EtcdError | null) => void): void {
    const body = encodeClusterVersionSet(version);
    this.#parts.proposer.propose(requestField.clusterVersionSet, body, {
      applied: (result) => {
        done(result.error);
      },
      failed: done,
    });
  }
}
