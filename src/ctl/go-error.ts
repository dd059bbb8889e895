/** Failures in the words of Go's client, which scripts know. */
import * as etcdErrors from "../base/etcd-errors.ts";
import { EtcdError, TimeoutError, CanceledError, ConnectionError } from "../client/errors.ts";

/** Texts that Go's client knows as etcd's own; it prints them bare. */
const known = new Set(
  Object.values(etcdErrors)
    .filter((value) => value instanceof etcdErrors.EtcdError)
    .map((error) => error.message),
);

const codeNames = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound"],
  ...["AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted"],
  ...["OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"],
];

/** Go's words for an answer above the limit. */
const tooLarge = /^Received message larger than max \((\d+) vs\.? (\d+)\)$/;

/** `isRaw`: etcd's own errors too with their gRPC code, as the streams of Go's client hand them on. */
export function goErrorText(error: unknown, isRaw = false): string {
  if (error instanceof TimeoutError || error instanceof ConnectionError) {
    return "context deadline exceeded";
  }
  if (error instanceof CanceledError) return "context canceled";
  if (!(error instanceof EtcdError)) return error instanceof Error ? error.message : String(error);
  if (!isRaw && known.has(error.message)) return error.message;
  const name = codeNames[error.code] ?? `Code(${error.code})`;
  const text = error.message.replace(
    tooLarge,
    "grpc: received message larger than max ($1 vs. $2)",
  );
  return `rpc error: code = ${name} desc = ${text}`;
}

/** What is behind a failure to connect, for a line of log; `undefined` when all is said. */
export function connectionCause(error: unknown): string | undefined {
  if (error instanceof ConnectionError) return error.message;
  if (!(error instanceof TimeoutError)) return undefined;
  const { cause } = error;
  return cause instanceof Error ? cause.message : error.message;
}
