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

export function goErrorText(error: unknown): string {
  if (error instanceof TimeoutError || error instanceof ConnectionError) {
    return "context deadline exceeded";
  }
  if (error instanceof CanceledError) return "context canceled";
  if (!(error instanceof EtcdError)) return error instanceof Error ? error.message : String(error);
  if (known.has(error.message)) return error.message;
  return `rpc error: code = ${codeNames[error.code] ?? `Code(${error.code})`} desc = ${error.message}`;
}

/** What is behind a failure to connect, for a line of log; `undefined` when all is said. */
export function connectionCause(error: unknown): string | undefined {
  if (error instanceof ConnectionError) return error.message;
  if (!(error instanceof TimeoutError)) return undefined;
  const { cause } = error;
  return cause instanceof Error ? cause.message : error.message;
}
