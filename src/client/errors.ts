/**
 * What calls of the client fail with. Every error etcd answers has a class of its own, found by
 * its text as Go's client does (codes of a few differ between versions of etcd), so callers write
 * `instanceof CompactedError`; all are `EtcdError`, with the gRPC code and etcd's text.
 */
import * as etcd from "../base/etcd-errors.ts";
import { grpcCode } from "../base/grpc-code.ts";

/** A failed call: of etcd's own if the class says no more. */
export class EtcdError extends Error {
  /** gRPC status code, 1 to 16. */
  readonly code: number;

  constructor(code: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  override get name(): string {
    return this.constructor.name;
  }

  /**
   * The trouble is of the moment: the same call can succeed later. Says nothing about whether this
   * call was applied; a write that failed this way may have been.
   */
  get retryable(): boolean {
    return this.code === grpcCode.unavailable;
  }

  /** Anything thrown, as an EtcdError; what is not one becomes its `cause`. */
  static from(error: unknown): EtcdError {
    if (error instanceof EtcdError) return error;
    if (error instanceof Error && error.name === "AbortError") return new CanceledError(error);
    if (error instanceof etcd.EtcdError) return fromStatus(error.code, error.message);
    const text = error instanceof Error ? error.message : String(error);
    return new EtcdError(grpcCode.unknown, text, { cause: error });
  }
}

/** No answer from an endpoint: it cannot be reached, or the connection broke during the call. */
export class ConnectionError extends EtcdError {
  /** As the user wrote it; several are joined by ", ". */
  readonly endpoint: string;
  /** What went wrong there: "connect ECONNREFUSED 127.0.0.1:2379", say. */
  readonly reason: string;

  constructor(endpoint: string, reason: string, options?: { readonly cause?: unknown }) {
    super(grpcCode.unavailable, `No answer from ${endpoint}: ${reason}`, options);
    this.endpoint = endpoint;
    this.reason = reason;
  }
}

/** The call's time was over. `cause`, if there, is how the last try failed. */
export class TimeoutError extends EtcdError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(grpcCode.deadlineExceeded, message, options);
  }

  override get retryable(): boolean {
    return true;
  }
}

/** The caller's signal fired; `cause` is the signal's reason. */
export class CanceledError extends EtcdError {
  constructor(reason?: unknown, message = "The call was canceled") {
    super(grpcCode.canceled, message, { cause: reason });
  }
}

/** The client was closed before or during the call. */
export class ClientClosedError extends EtcdError {
  constructor() {
    super(grpcCode.canceled, "The client is closed");
  }
}

/** The server's answer is not what the method answers. */
export class MalformedResponseError extends EtcdError {
  readonly endpoint: string;

  constructor(endpoint: string, path: string, cause: unknown) {
    const text = cause instanceof Error ? cause.message : String(cause);
    super(grpcCode.internal, `Malformed answer of ${endpoint} to ${path}: ${text}`, { cause });
    this.endpoint = endpoint;
  }
}

/** The server does not know the method: it is older, or not etcd. */
export class UnimplementedError extends EtcdError {}

/** A message is larger than the client or the server allows. */
export class MessageTooLargeError extends EtcdError {}

export class CompactedError extends EtcdError {}

/** A watch asked for history that is gone. */
export class WatchCompactedError extends CompactedError {
  /** The oldest revision that can still be watched from is this one. */
  readonly compactRevision: number;

  constructor(compactRevision: number) {
    super(etcd.errCompacted.code, etcd.errCompacted.message);
    this.compactRevision = compactRevision;
  }
}

/** The server ended a watch; the message is its reason. */
export class WatchCanceledError extends EtcdError {}

export class EmptyKeyError extends EtcdError {}
export class KeyNotFoundError extends EtcdError {}
export class ValueProvidedError extends EtcdError {}
export class LeaseProvidedError extends EtcdError {}
export class TooManyOpsError extends EtcdError {}
export class DuplicateKeyError extends EtcdError {}
export class InvalidClientApiVersionError extends EtcdError {}
export class InvalidSortOptionError extends EtcdError {}
export class FutureRevisionError extends EtcdError {}
export class NoSpaceError extends EtcdError {}
export class LeaseNotFoundError extends EtcdError {}
export class LeaseExistsError extends EtcdError {}
export class LeaseTtlTooLargeError extends EtcdError {}
export class MemberExistsError extends EtcdError {}
export class PeerUrlExistsError extends EtcdError {}
export class TooFewStartedMembersError extends EtcdError {}
export class MemberUrlsInvalidError extends EtcdError {}
export class MemberNotFoundError extends EtcdError {}
export class MemberNotLearnerError extends EtcdError {}
export class LearnerNotReadyError extends EtcdError {}
export class TooManyLearnersError extends EtcdError {}
export class ClusterIdMismatchError extends EtcdError {}
export class RequestTooLargeError extends EtcdError {}
export class TooManyRequestsError extends EtcdError {
  override get retryable(): boolean {
    return true; // etcd answers it as Unknown
  }
}
export class RootUserMissingError extends EtcdError {}
export class RootRoleMissingError extends EtcdError {}
export class UserExistsError extends EtcdError {}
export class UserEmptyError extends EtcdError {}
export class UserNotFoundError extends EtcdError {}
export class RoleExistsError extends EtcdError {}
export class RoleNotFoundError extends EtcdError {}
export class RoleEmptyError extends EtcdError {}
export class AuthFailedError extends EtcdError {}
export class PermissionNotGivenError extends EtcdError {}
export class PermissionDeniedError extends EtcdError {}
export class RoleNotGrantedError extends EtcdError {}
export class PermissionNotGrantedError extends EtcdError {}
export class AuthNotEnabledError extends EtcdError {}
export class InvalidAuthTokenError extends EtcdError {}
export class InvalidAuthManagementError extends EtcdError {}
export class AuthOldRevisionError extends EtcdError {}
export class NoLeaderError extends EtcdError {}
export class NotLeaderError extends EtcdError {}
export class LeaderChangedError extends EtcdError {}
export class NotCapableError extends EtcdError {}
export class ServerStoppedError extends EtcdError {}
export class RequestTimeoutError extends EtcdError {}
export class TimeoutLeaderFailedError extends EtcdError {}
export class TimeoutConnectionLostError extends EtcdError {}
export class TimeoutAppliedIndexError extends EtcdError {}
export class UnhealthyClusterError extends EtcdError {}
export class CorruptClusterError extends EtcdError {}
export class NotSupportedForLearnerError extends EtcdError {}
export class BadLeaderTransfereeError extends EtcdError {}
export class DowngradeVersionFormatError extends EtcdError {}
export class DowngradeTargetVersionError extends EtcdError {}
export class ClusterVersionUnavailableError extends EtcdError {}
export class DowngradeInProgressError extends EtcdError {}
export class NoDowngradeError extends EtcdError {}
export class LeaderTransferTimeoutError extends EtcdError {
  override get retryable(): boolean {
    return true; // etcd answers it as Unknown
  }
}
export class UnknownMethodError extends EtcdError {}
export class NotPrimaryLessorError extends EtcdError {}

/** The lock service: another session holds the lock (answered without a code of its own). */
export class MutexLockedError extends EtcdError {}
/** The session that a lock or a candidacy stood on has ended. */
export class SessionExpiredError extends EtcdError {}
/** The election service: nobody is elected. */
export class ElectionNoLeaderError extends EtcdError {}
/** The election service: the leader key is not the leader's any more. */
export class ElectionNotLeaderError extends EtcdError {}

type ErrorClass = new (
  code: number,
  message: string,
  options?: { readonly cause?: unknown },
) => EtcdError;

const ownClasses: readonly (readonly [{ readonly message: string }, ErrorClass])[] = [
  [etcd.errEmptyKey, EmptyKeyError],
  [etcd.errKeyNotFound, KeyNotFoundError],
  [etcd.errValueProvided, ValueProvidedError],
  [etcd.errLeaseProvided, LeaseProvidedError],
  [etcd.errTooManyOps, TooManyOpsError],
  [etcd.errDuplicateKey, DuplicateKeyError],
  [etcd.errInvalidClientAPIVersion, InvalidClientApiVersionError],
  [etcd.errInvalidSortOption, InvalidSortOptionError],
  [etcd.errCompacted, CompactedError],
  [etcd.errFutureRev, FutureRevisionError],
  [etcd.errNoSpace, NoSpaceError],
  [etcd.errLeaseNotFound, LeaseNotFoundError],
  [etcd.errLeaseExist, LeaseExistsError],
  [etcd.errLeaseTTLTooLarge, LeaseTtlTooLargeError],
  [etcd.errWatchCanceled, WatchCanceledError],
  [etcd.errMemberExist, MemberExistsError],
  [etcd.errPeerURLExist, PeerUrlExistsError],
  [etcd.errMemberNotEnoughStarted, TooFewStartedMembersError],
  [etcd.errMemberBadURLs, MemberUrlsInvalidError],
  [etcd.errMemberNotFound, MemberNotFoundError],
  [etcd.errMemberNotLearner, MemberNotLearnerError],
  [etcd.errLearnerNotReady, LearnerNotReadyError],
  [etcd.errTooManyLearners, TooManyLearnersError],
  [etcd.errClusterIDMismatch, ClusterIdMismatchError],
  [etcd.errRequestTooLarge, RequestTooLargeError],
  [etcd.errRequestTooManyRequests, TooManyRequestsError],
  [etcd.errRootUserNotExist, RootUserMissingError],
  [etcd.errRootRoleNotExist, RootRoleMissingError],
  [etcd.errUserAlreadyExist, UserExistsError],
  [etcd.errUserEmpty, UserEmptyError],
  [etcd.errUserNotFound, UserNotFoundError],
  [etcd.errRoleAlreadyExist, RoleExistsError],
  [etcd.errRoleNotFound, RoleNotFoundError],
  [etcd.errRoleEmpty, RoleEmptyError],
  [etcd.errAuthFailed, AuthFailedError],
  [etcd.errPermissionNotGiven, PermissionNotGivenError],
  [etcd.errPermissionDenied, PermissionDeniedError],
  [etcd.errRoleNotGranted, RoleNotGrantedError],
  [etcd.errPermissionNotGranted, PermissionNotGrantedError],
  [etcd.errAuthNotEnabled, AuthNotEnabledError],
  [etcd.errInvalidAuthToken, InvalidAuthTokenError],
  [etcd.errInvalidAuthMgmt, InvalidAuthManagementError],
  [etcd.errAuthOldRevision, AuthOldRevisionError],
  [etcd.errNoLeader, NoLeaderError],
  [etcd.errNotLeader, NotLeaderError],
  [etcd.errLeaderChanged, LeaderChangedError],
  [etcd.errNotCapable, NotCapableError],
  [etcd.errStopped, ServerStoppedError],
  [etcd.errTimeout, RequestTimeoutError],
  [etcd.errTimeoutDueToLeaderFail, TimeoutLeaderFailedError],
  [etcd.errTimeoutDueToConnectionLost, TimeoutConnectionLostError],
  [etcd.errTimeoutWaitAppliedIndex, TimeoutAppliedIndexError],
  [etcd.errUnhealthy, UnhealthyClusterError],
  [etcd.errCorrupt, CorruptClusterError],
  [etcd.errNotSupportedForLearner, NotSupportedForLearnerError],
  [etcd.errBadLeaderTransferee, BadLeaderTransfereeError],
  [etcd.errWrongDowngradeVersionFormat, DowngradeVersionFormatError],
  [etcd.errInvalidDowngradeTargetVersion, DowngradeTargetVersionError],
  [etcd.errClusterVersionUnavailable, ClusterVersionUnavailableError],
  [etcd.errDowngradeInProcess, DowngradeInProgressError],
  [etcd.errNoInflightDowngrade, NoDowngradeError],
  [etcd.errLeaderTransferTimeout, LeaderTransferTimeoutError],
  [etcd.errUnknownMethod, UnknownMethodError],
  [etcd.errNotPrimaryLessor, NotPrimaryLessorError],
  [{ message: "mutex: Locked by another session" }, MutexLockedError],
  [{ message: "mutex: session is expired" }, SessionExpiredError],
  [{ message: "election: no leader" }, ElectionNoLeaderError],
  [{ message: "election: not leader" }, ElectionNotLeaderError],
];

const classOfText = new Map(ownClasses.map(([{ message }, type]) => [message, type]));

/** The error of a gRPC status that a server answered. */
export function fromStatus(
  code: number,
  text: string,
  options?: { readonly cause?: unknown },
): EtcdError {
  const type = classOfText.get(text);
  if (type !== undefined) return new type(code, text, options);
  switch (code) {
    case grpcCode.canceled:
      return new CanceledError(options?.cause, text);
    case grpcCode.deadlineExceeded:
      return new TimeoutError(text, options);
    case grpcCode.unimplemented:
      return new UnimplementedError(code, text, options);
    case grpcCode.resourceExhausted:
      return new MessageTooLargeError(code, text, options);
    default:
      return new EtcdError(code, text, options);
  }
}
