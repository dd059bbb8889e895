/** When a failed call is sent again, and how long to wait before: the rules of Go's client. */
import { grpcCode } from "../base/grpc-code.ts";
import type { RetryRule } from "./caller.ts";
import type { CallStatus } from "./channel.ts";
import type { ClientSettings } from "./client-options.ts";
import {
  AuthOldRevisionError,
  ConnectionError,
  EtcdError,
  fromStatus,
  InvalidAuthTokenError,
  NoLeaderError,
  NotSupportedForLearnerError,
  UserEmptyError,
} from "./errors.ts";

/** HTTP/2's REFUSED_STREAM: the server says that it has not looked at the request. */
const refusedStream = 7;
/** HTTP/2's CANCEL, sent by the server: it dropped the call on its way out. */
const canceledStream = 8;
/** The wait doubles up to this many times the first one. */
const backoffFactorMax = 10;

/** What a status means; `endpoint` is where the call was sent. */
export function statusError(endpoint: string, status: CallStatus): EtcdError {
  const { details, rstCode } = status;
  const code: number = status.code;
  const wasCut = code === grpcCode.canceled && rstCode === canceledStream;
  const error = fromStatus(code, details);
  if (wasCut) return new ConnectionError(endpoint, "the server dropped the call");
  const isPlain = error.constructor === EtcdError;
  if (isPlain && code === grpcCode.unavailable) return new ConnectionError(endpoint, details);
  // Texts of grpc-js itself say nothing of where; etcd's own stay as they are.
  const isLocal = isPlain && (rstCode !== undefined || details.startsWith("Received HTTP"));
  return isLocal ? fromStatus(code, `${endpoint}: ${details}`) : error;
}

/** Whether it is certain that the server did not begin with the call. */
export function isUnprocessed(status: CallStatus): boolean {
  return status.rstCode === refusedStream;
}

/**
 * Reads are repeated after every failure of the moment. Writes only if nothing came of the first
 * try for certain: after "Unavailable" a write may have been applied. A learner refuses before
 * anything happens, and another endpoint may be a voter.
 */
export function mayRetry(
  rule: RetryRule,
  error: EtcdError,
  about: {
    readonly isUnprocessed: boolean;
    readonly endpointCount: number;
    /** So far. */
    readonly tries: number;
    readonly requireLeader: boolean;
  },
): boolean {
  if (rule === "never") return false;
  if (about.isUnprocessed) return true;
  if (error instanceof NotSupportedForLearnerError) return about.endpointCount > 1;
  // Somebody changed users or roles while the call was on its way: it was refused unseen.
  if (error instanceof AuthOldRevisionError) return true;
  if (rule === "write" || error.code !== grpcCode.unavailable) return false;
  // Who asks for a leader wants to know soon that there is none; other members may have one.
  const isLeaderless = about.requireLeader && error instanceof NoLeaderError;
  return !isLeaderless || about.tries < about.endpointCount;
}

/** Whether a new token may help. Such calls were refused before anything happened. */
export function needsNewToken(
  error: EtcdError,
  tokens: { readonly user: unknown; readonly hasFixedToken: boolean },
): boolean {
  if (tokens.hasFixedToken || tokens.user === null) return false;
  return (
    error instanceof InvalidAuthTokenError ||
    error instanceof AuthOldRevisionError ||
    error instanceof UserEmptyError
  );
}

/** Wait before try number `tries` (1: the first repetition): one wait per pass over a quorum. */
export function backoffMs(
  tries: number,
  endpointCount: number,
  settings: Pick<ClientSettings, "backoffMs" | "backoffJitter" | "random">,
): number {
  const quorum = Math.floor(endpointCount / 2) + 1;
  if (tries % quorum !== 0) return 0;
  const pass = tries / quorum - 1;
  const waitMs = settings.backoffMs * Math.min(2 ** pass, backoffFactorMax);
  return waitMs * (1 + settings.backoffJitter * (2 * settings.random() - 1));
}
