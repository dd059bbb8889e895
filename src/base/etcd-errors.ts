/**
 * Every error etcd 3.7.1 answers, with its exact gRPC code and text: clients match on both.
 * Each is one frozen value, made once; hot paths return it and never throw it.
 */
import { grpcCode } from "./grpc-code.ts";

/** An expected failure of a request. Throwing it is allowed off the hot paths. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function make(code: number, message: string): EtcdError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // a constant has no useful stack
  const error = new EtcdError(code, message);
  Error.stackTraceLimit = limit;
  return error;
}

export const errEmptyKey = make(grpcCode.invalidArgument, "etcdserver: key is not provided");
export const errKeyNotFound = make(grpcCode.invalidArgument, "etcdserver: key not found");
export const errValueProvided = make(grpcCode.invalidArgument, "etcdserver: value is provided");
export const errLeaseProvided = make(grpcCode.invalidArgument, "etcdserver: lease is provided");
export const errTooManyOps = make(
  grpcCode.invalidArgument,
  "etcdserver: too many operations in txn request",
);
export const errDuplicateKey = make(
  grpcCode.invalidArgument,
  "etcdserver: duplicate key given in txn request",
);
export const errInvalidClientAPIVersion = make(
  grpcCode.invalidArgument,
  "etcdserver: invalid client api version",
);
export const errInvalidSortOption = make(
  grpcCode.invalidArgument,
  "etcdserver: invalid sort option",
);
export const errCompacted = make(
  grpcCode.outOfRange,
  "etcdserver: mvcc: required revision has been compacted",
);
export const errFutureRev = make(
  grpcCode.outOfRange,
  "etcdserver: mvcc: required revision is a future revision",
);
export const errNoSpace = make(
  grpcCode.resourceExhausted,
  "etcdserver: mvcc: database space exceeded",
);
export const errLeaseNotFound = make(grpcCode.notFound, "etcdserver: requested lease not found");
export const errLeaseExist = make(grpcCode.failedPrecondition, "etcdserver: lease already exists");
export const errLeaseTTLTooLarge = make(grpcCode.outOfRange, "etcdserver: too large lease TTL");
export const errWatchCanceled = make(grpcCode.canceled, "etcdserver: watch canceled");
export const errMemberExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: member ID already exist",
);
export const errPeerURLExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: Peer URLs already exists",
);
// etcd maps this one by a slip to an error without a status: Unknown on the wire.
export const errMemberNotEnoughStarted = make(
  grpcCode.unknown,
  "etcdserver: re-configuration failed due to not enough started members",
);
export const errMemberBadURLs = make(
  grpcCode.invalidArgument,
  "etcdserver: given member URLs are invalid",
);
export const errMemberNotFound = make(grpcCode.notFound, "etcdserver: member not found");
export const errMemberNotLearner = make(
  grpcCode.failedPrecondition,
  "etcdserver: can only promote a learner member",
);
export const errLearnerNotReady = make(
  grpcCode.failedPrecondition,
  "etcdserver: can only promote a learner member which is in sync with leader",
);
export const errTooManyLearners = make(
  grpcCode.failedPrecondition,
  "etcdserver: too many learner members in cluster",
);
export const errClusterIDMismatch = make(
  grpcCode.failedPrecondition,
  "etcdserver: cluster ID mismatch",
);
export const errRequestTooLarge = make(
  grpcCode.invalidArgument,
  "etcdserver: request is too large",
);
// etcd maps this one by a slip to an error without a status: Unknown on the wire.
export const errRequestTooManyRequests = make(grpcCode.unknown, "etcdserver: too many requests");
export const errRootUserNotExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: root user does not exist",
);
export const errRootRoleNotExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: root user does not have root role",
);
export const errUserAlreadyExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: user name already exists",
);
export const errUserEmpty = make(grpcCode.invalidArgument, "etcdserver: user name is empty");
export const errUserNotFound = make(grpcCode.failedPrecondition, "etcdserver: user name not found");
export const errRoleAlreadyExist = make(
  grpcCode.failedPrecondition,
  "etcdserver: role name already exists",
);
export const errRoleNotFound = make(grpcCode.failedPrecondition, "etcdserver: role name not found");
export const errRoleEmpty = make(grpcCode.invalidArgument, "etcdserver: role name is empty");
export const errAuthFailed = make(
  grpcCode.invalidArgument,
  "etcdserver: authentication failed, invalid user ID or password",
);
export const errPermissionNotGiven = make(
  grpcCode.invalidArgument,
  "etcdserver: permission not given",
);
export const errPermissionDenied = make(grpcCode.permissionDenied, "etcdserver: permission denied");
export const errRoleNotGranted = make(
  grpcCode.failedPrecondition,
  "etcdserver: role is not granted to the user",
);
export const errPermissionNotGranted = make(
  grpcCode.failedPrecondition,
  "etcdserver: permission is not granted to the role",
);
export const errAuthNotEnabled = make(
  grpcCode.failedPrecondition,
  "etcdserver: authentication is not enabled",
);
export const errInvalidAuthToken = make(grpcCode.unauthenticated, "etcdserver: invalid auth token");
export const errInvalidAuthMgmt = make(
  grpcCode.invalidArgument,
  "etcdserver: invalid auth management",
);
export const errAuthOldRevision = make(
  grpcCode.invalidArgument,
  "etcdserver: revision of auth store is old",
);
export const errNoLeader = make(grpcCode.unavailable, "etcdserver: no leader");
export const errNotLeader = make(grpcCode.failedPrecondition, "etcdserver: not leader");
export const errLeaderChanged = make(grpcCode.unavailable, "etcdserver: leader changed");
export const errNotCapable = make(grpcCode.failedPrecondition, "etcdserver: not capable");
export const errStopped = make(grpcCode.unavailable, "etcdserver: server stopped");
export const errTimeout = make(grpcCode.unavailable, "etcdserver: request timed out");
export const errTimeoutDueToLeaderFail = make(
  grpcCode.unavailable,
  "etcdserver: request timed out, possibly due to previous leader failure",
);
export const errTimeoutDueToConnectionLost = make(
  grpcCode.unavailable,
  "etcdserver: request timed out, possibly due to connection lost",
);
export const errTimeoutWaitAppliedIndex = make(
  grpcCode.unavailable,
  "etcdserver: request timed out, waiting for the applied index took too long",
);
export const errUnhealthy = make(grpcCode.unavailable, "etcdserver: unhealthy cluster");
export const errCorrupt = make(grpcCode.dataLoss, "etcdserver: corrupt cluster");
export const errNotSupportedForLearner = make(
  grpcCode.failedPrecondition,
  "etcdserver: rpc not supported for learner",
);
export const errBadLeaderTransferee = make(
  grpcCode.failedPrecondition,
  "etcdserver: bad leader transferee",
);
export const errWrongDowngradeVersionFormat = make(
  grpcCode.invalidArgument,
  "etcdserver: wrong downgrade target version format",
);
export const errInvalidDowngradeTargetVersion = make(
  grpcCode.invalidArgument,
  "etcdserver: invalid downgrade target version",
);
export const errClusterVersionUnavailable = make(
  grpcCode.failedPrecondition,
  "etcdserver: cluster version not found during downgrade",
);
export const errDowngradeInProcess = make(
  grpcCode.failedPrecondition,
  "etcdserver: cluster has a downgrade job in progress",
);
export const errNoInflightDowngrade = make(
  grpcCode.failedPrecondition,
  "etcdserver: no inflight downgrade job",
);
export const errCanceled = make(grpcCode.canceled, "etcdserver: request canceled");
export const errDeadlineExceeded = make(
  grpcCode.deadlineExceeded,
  "etcdserver: context deadline exceeded",
);
/** What a request gets whose time was over before there was a leader to propose to: gRPC's text. */
export const errContextDeadline = make(grpcCode.deadlineExceeded, "context deadline exceeded");
export const errLeaderTransferTimeout = make(
  grpcCode.unknown,
  "etcdserver: request timed out, leader transfer took too long",
);
export const errUnknownMethod = make(grpcCode.unknown, "etcdserver: unknown method");
export const errNotPrimaryLessor = make(grpcCode.unknown, "not a primary lessor");
