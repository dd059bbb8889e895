import {
  EtcdError,
  errMemberExist,
  errMemberNotEnoughStarted,
  errMemberNotFound,
  errMemberNotLearner,
  errPeerURLExist,
  errTooManyLearners,
} from "../../base/etcd-errors.ts";

/** A refused change of the membership: clients see code and message, logs and peers `reason`. */
export class MembershipError extends EtcdError {
  readonly reason: string;

  constructor(error: EtcdError, reason: string) {
    super(error.code, error.message);
    this.reason = reason;
  }
}

export const errIdRemoved = new MembershipError(errMemberNotFound, "membership: ID removed");
export const errIdNotFound = new MembershipError(errMemberNotFound, "membership: ID not found");
export const errIdExists = new MembershipError(errMemberExist, "membership: ID exists");
export const errPeerUrlTaken = new MembershipError(errPeerURLExist, "membership: peerURL exists");
export const errNotLearner = new MembershipError(
  errMemberNotLearner,
  "membership: can only promote a learner member",
);
export const errLearnersFull = new MembershipError(
  errTooManyLearners,
  "membership: too many learner members in cluster",
);
/** Go etcd has no such check behind the strict one: its raft would panic. */
export const errLastVoter = new MembershipError(
  errMemberNotEnoughStarted,
  "membership: cannot remove the last voting member",
);
