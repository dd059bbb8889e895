/** What a watch asks for, checked; and why the server ended one. */
import { emptyBytes } from "../../base/bytes.ts";
import { errAuthOldRevision, errCompacted, errInvalidAuthToken } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import type { WatchCreate, WatchResponse } from "../../codec/client/watch.ts";
import type { EtcdError } from "../errors.ts";
import { fromStatus, WatchCanceledError, WatchCompactedError } from "../errors.ts";
import { InvalidInputError, intervalOf, toInt } from "../input.ts";
import type { Bytes, WatchOptions } from "../types.ts";

/** A request without what belongs to one stream. */
export type WatchSpec = Omit<WatchCreate, "watchId">;

const bufferedBatchesDefault = 128;

export function watchSpec(key: Bytes, options: WatchOptions): WatchSpec {
  const interval = intervalOf(key, options);
  return {
    // Copies: the caller may change its bytes, and a watch is asked for again after every break.
    // Short copies also lie in V8's heap; what TextEncoder gives takes a kilobyte each.
    key: interval.key.slice(),
    rangeEnd: interval.rangeEnd.length === 0 ? emptyBytes : interval.rangeEnd.slice(),
    startRevision: toInt(options.startRevision, "startRevision"),
    progressNotify: options.progressNotify === true,
    noPut: options.noPut === true,
    noDelete: options.noDelete === true,
    prevKv: options.prevKv === true,
    fragment: options.fragment === true,
  };
}

export function bufferedBatchesMax(options: WatchOptions): number {
  const most = toInt(options.bufferedBatchesMax ?? bufferedBatchesDefault, "bufferedBatchesMax");
  if (most < 1) throw new InvalidInputError(`bufferedBatchesMax must be 1 or more, not ${most}`);
  return most;
}

/** A reason may be the whole text of a Go gRPC error. */
const wrappedReason = /^rpc error: code = (\w+) desc = (.*)$/s;

const codeOfName = new Map<string, number>(
  Object.entries(grpcCode).map(([name, code]) => [name.toLowerCase(), code]),
);

function causeOf(reason: string): EtcdError {
  const [, name = "", text = reason] = wrappedReason.exec(reason) ?? [];
  return fromStatus(codeOfName.get(name.toLowerCase()) ?? grpcCode.failedPrecondition, text);
}

/** The error of a watch that the server canceled. */
export function cancelError(response: WatchResponse): WatchCompactedError | WatchCanceledError {
  const { compactRevision, cancelReason } = response;
  const cause = causeOf(cancelReason);
  if (compactRevision > 0 || cause.message === errCompacted.message) {
    return new WatchCompactedError(compactRevision);
  }
  const text = cause.message === "" ? "The server canceled the watch" : cause.message;
  return new WatchCanceledError(cause.code, text, { cause });
}

/** A stream keeps the token it was opened with: another one may be let in. */
export function isStaleToken(error: EtcdError): boolean {
  return (
    error.message === errInvalidAuthToken.message || error.message === errAuthOldRevision.message
  );
}
