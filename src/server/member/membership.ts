// MS1  What is checked here protects the cluster from its operator; what keeps members equal is
//      checked again when the change is applied (Cluster.apply).
// MS2  A learner is promoted only on the leader's own word that it has caught up.

import {
  errLeaderChanged,
  errLearnerNotReady,
  errMemberBadURLs,
  errMemberNotEnoughStarted,
  errUnhealthy,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import { utf8 } from "../../base/bytes.ts";
import type { LogFields, Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";
import { confChangeType } from "../../codec/conf-change.ts";
import { parseUrlList } from "../config/urls.ts";
import type { PeerTransport } from "../peer/peer-port.ts";
import type { Cluster } from "./cluster.ts";
import { encodeMember, encodePromotion, type Member } from "./member.ts";
import { errIdNotFound, errLastVoter } from "./member-error.ts";
import { memberId, type Sha1 } from "./member-id.ts";
import { promoteOnLeader } from "./promote-forward.ts";
import {
  connectedSince,
  hasQuorumWithNewVoter,
  hasQuorumWithout,
  hasQuorumWithPromoted,
  healthIntervalMs,
  isHealthyForNewMember,
  isHealthyForRemoval,
} from "./quorum.ts";

/** What this member knows of the others right now. */
export interface ClusterStatus {
  readonly isLeader: boolean;
  /** 0n: none known. */
  readonly leader: bigint;
  /** Newest entry known to be on the member; null: not leading, or not in raft's configuration. */
  matchOf(id: bigint): number | null;
  /** Clock.now() of when the peer became active; null while it is not. */
  activeSince(id: bigint): number | null;
}

export interface ConfChangeRequest {
  /** One of `confChangeType`. */
  readonly type: number;
  readonly nodeId: bigint;
  readonly context: Uint8Array;
}

export type MembersDone = (error: EtcdError | null, members: readonly Member[]) => void;

export interface MembershipParts {
  readonly cluster: Cluster;
  readonly status: ClusterStatus;
  readonly peers: Pick<PeerTransport, "call">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sha1: Sha1;
  /** Proposes; `done` when the change was applied here, refused then, or failed. */
  readonly propose: (change: ConfChangeRequest, done: (error: EtcdError | null) => void) => void;
  /** Calls `ready` when everything committed until now was applied here. */
  readonly catchUp: (ready: (error: EtcdError | null) => void) => void;
  readonly isStrict: boolean;
  readonly requestTimeoutMs: number;
}

/** Part of the leader's log that a learner must have to be promoted (as in etcd). */
const readyShare = 0.9;

/** Changes of the membership as clients and peers ask for them. */
export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** `done` gets the new member and all of them. */
  add(
    peerUrls: readonly string[],
    isLearner: boolean,
    done: (error: EtcdError | null, added: Member | null, members: readonly Member[]) => void,
  ): void {
    const { clock, sha1, cluster } = this.#parts;
    const urls = validUrls(peerUrls)?.sort();
    if (urls === undefined) {
      done(errMemberBadURLs, null, []);
      return;
    }
    const addedAtSeconds = Math.floor(clock.wall() / 1000);
    const id = memberId({ peerUrls: urls, clusterToken: "", addedAtSeconds }, sha1);
    const member: Member = { id, peerUrls: urls, isLearner, name: "", clientUrls: [] };
    const refusal = this.#refuseAdd(member);
    if (refusal !== null) {
      done(refusal, null, []);
      return;
    }
    const type = isLearner ? confChangeType.addLearnerNode : confChangeType.addNode;
    this.#configure({ type, nodeId: id, context: utf8(encodeMember(member)) }, (error) => {
      done(error, error === null ? member : null, cluster.members());
    });
  }

  remove(id: bigint, done: MembersDone): void {
    const refusal = this.#refuseRemove(id);
    if (refusal !== null) {
      done(refusal, []);
      return;
    }
    const change = { type: confChangeType.removeNode, nodeId: id, context: new Uint8Array(0) };
    this.#configure(change, done);
  }

  /** Go etcd takes any URLs here and may end by them; they are refused (docs/divergence.md). */
  update(id: bigint, peerUrls: readonly string[], done: MembersDone): void {
    const urls = validUrls(peerUrls);
    if (urls === undefined) {
      done(errMemberBadURLs, []);
      return;
    }
    const member: Member = { id, peerUrls: urls, isLearner: false, name: "", clientUrls: [] };
    const context = utf8(encodeMember(member));
    this.#configure({ type: confChangeType.updateNode, nodeId: id, context }, done);
  }

  /** On the leader promotes, elsewhere asks the leader to. */
  promote(id: bigint, done: MembersDone): void {
    const { status, peers, clock, requestTimeoutMs } = this.#parts;
    if (status.isLeader) {
      this.#promoteHere(id, done);
      return;
    }
    promoteOnLeader(
      {
        ...{ status, peers, clock, requestTimeoutMs },
        promoteHere: (then) => {
          this.#promoteHere(id, then);
        },
      },
      id,
      done,
    );
  }

  #promoteHere(id: bigint, done: MembersDone): void {
    this.#parts.catchUp((error) => {
      const refusal = error ?? this.#refusePromote(id);
      if (refusal !== null) {
        done(refusal, []);
        return;
      }
      const context = utf8(encodePromotion(id));
      this.#configure({ type: confChangeType.addNode, nodeId: id, context }, done);
    });
  }

  #refuseAdd(member: Member): EtcdError | null {
    const { cluster, isStrict } = this.#parts;
    if (!isStrict) return null;
    const voters = cluster.voters();
    const fields = { "requested-member-add": encodeMember(member) };
    if (!member.isLearner && !hasQuorumWithNewVoter(voters)) {
      const why = "rejecting member add request; not enough healthy members";
      return this.#refuse(why, fields, errMemberNotEnoughStarted);
    }
    if (!isHealthyForNewMember(voters.length, this.#connected(voters))) {
      const why =
        "rejecting member add request; local member has not been connected to majority peers, reconfigure breaks active quorum";
      return this.#refuse(why, fields, errUnhealthy);
    }
    return null;
  }

  #refuseRemove(id: bigint): EtcdError | null {
    const { cluster, isStrict, status } = this.#parts;
    const voters = cluster.voters();
    const fields = { "requested-member-remove": id.toString(16) };
    if (!isStrict) {
      if (voters.length > 1 || voters[0]?.id !== id) return null;
      return this.#refuse(
        "rejecting member remove request; last voting member",
        fields,
        errLastVoter,
      );
    }
    if (cluster.member(id)?.isLearner === true) return null;
    if (!hasQuorumWithout(voters, id)) {
      const why = "rejecting member remove request; not enough healthy members";
      return this.#refuse(why, fields, errMemberNotEnoughStarted);
    }
    // What is down is no part of the quorum at work.
    if (id !== cluster.localId && status.activeSince(id) === null) return null;
    const connected = this.#connected(voters);
    if (!isHealthyForRemoval(voters.length, connected)) {
      const why =
        "rejecting member remove request; local member has not been connected to all peers, reconfigure breaks active quorum";
      return this.#refuse(why, { ...fields, "active-peers": connected }, errUnhealthy);
    }
    return null;
  }

  /** MS2 */
  #refusePromote(id: bigint): EtcdError | null {
    const { cluster, status, isStrict, log } = this.#parts;
    const match = status.matchOf(id);
    const own = status.matchOf(cluster.localId);
    // Lost while catching up: only the new leader knows.
    if (!status.isLeader || own === null) return errLeaderChanged;
    if (match === null) return errIdNotFound;
    if (match < own * readyShare) {
      log.error("rejecting promote learner: learner is not ready", {
        "learner-ready-percent": own === 0 ? 0 : match / own,
        "ready-percent-threshold": readyShare,
      });
      return errLearnerNotReady;
    }
    if (isStrict && !hasQuorumWithPromoted(cluster.voters())) {
      const why = "rejecting member promote request; not enough healthy members";
      const fields = { "requested-member-promote-id": id.toString(16) };
      return this.#refuse(why, fields, errMemberNotEnoughStarted);
    }
    return null;
  }

  #connected(voters: readonly Member[]): number {
    const { cluster, status, clock } = this.#parts;
    const since = clock.now() - healthIntervalMs;
    return connectedSince(voters, cluster.localId, (id) => status.activeSince(id), since);
  }

  #refuse(message: string, fields: LogFields, error: EtcdError): EtcdError {
    const { log, cluster } = this.#parts;
    const local = { "local-member-id": cluster.localId.toString(16) };
    log.warn(message, { ...local, ...fields, error: error.message });
    return error;
  }

  #configure(change: ConfChangeRequest, done: MembersDone): void {
    const { cluster, log, propose } = this.#parts;
    propose(change, (error) => {
      log.info("applied a configuration change through raft", {
        "local-member-id": cluster.localId.toString(16),
        "raft-conf-change": changeNames[change.type],
        "raft-conf-change-node-id": change.nodeId.toString(16),
        ...(error === null ? {} : { error: error.message }),
      });
      done(error, cluster.members());
    });
  }
}

const changeNames: Readonly<Record<number, string>> = {
  [confChangeType.addNode]: "ConfChangeAddNode",
  [confChangeType.removeNode]: "ConfChangeRemoveNode",
  [confChangeType.updateNode]: "ConfChangeUpdateNode",
  [confChangeType.addLearnerNode]: "ConfChangeAddLearnerNode",
};

/** As etcd prints them, in the given order; undefined: none, or one that is no URL of a member. */
function validUrls(urls: readonly string[]): string[] | undefined {
  try {
    return parseUrlList(urls).map((url) => url.text);
  } catch {
    return undefined; // the caller gets errMemberBadURLs
  }
}
