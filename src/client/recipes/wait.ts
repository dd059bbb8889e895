/** What the recipes wait for and make: keys that go, keys that are new. */
import { compare } from "../compare.ts";
import {
  CanceledError,
  CompactedError,
  LeaseNotFoundError,
  SessionExpiredError,
} from "../errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import { op } from "../op.ts";
import type {
  Bytes,
  CallOptions,
  Compare,
  Header,
  Kv,
  KvWatchLease,
  KeyValue,
  WatchEvent,
} from "../types.ts";

/** A lease that is kept alive, and what it was made with; lease/session.ts makes one. */
export interface RecipeSession {
  readonly client: KvWatchLease;
  readonly leaseId: bigint;
  /** Fires when the lease is gone: keys on it may be somebody else's from then on. */
  readonly lost: AbortSignal;
}

export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** Part of a key that is a session's own, as etcd's recipes write it. */
export function leaseSuffix(leaseId: bigint): string {
  return BigInt.asUintN(64, leaseId).toString(16);
}

/** The options as those of a call. */
export function callOptions({ signal }: WaitOptions): CallOptions {
  return signal === undefined ? {} : { signal };
}

/** etcd's text, so that callers of both can compare. */
export function sessionExpired(cause?: unknown): SessionExpiredError {
  return new SessionExpiredError(grpcCode.unknown, "mutex: session is expired", { cause });
}

/**
 * Runs a step of a recipe with a signal that fires when the caller's does or the session is lost.
 * Fails with SessionExpiredError once the session or its lease is gone, with CanceledError once
 * the caller's signal fired, else with what went wrong.
 */
export async function underSession<T>(
  session: RecipeSession,
  options: WaitOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { lost } = session;
  const given = options.signal;
  const isCanceled = (): boolean => given?.aborted === true;
  if (lost.aborted) throw sessionExpired(lost.reason);
  if (isCanceled()) throw new CanceledError(given?.reason);
  const either = new AbortController();
  const fire = (): void => {
    either.abort(lost.aborted ? lost.reason : given?.reason);
  };
  // Not AbortSignal.any: a session outlives many waits, and must not remember each.
  lost.addEventListener("abort", fire);
  given?.addEventListener("abort", fire);
  try {
    return await run(either.signal);
  } catch (error) {
    if (lost.aborted || error instanceof LeaseNotFoundError) throw sessionExpired(error);
    if (isCanceled()) throw new CanceledError(given?.reason);
    throw error;
  } finally {
    lost.removeEventListener("abort", fire);
    given?.removeEventListener("abort", fire);
  }
}

export interface EventWait {
  readonly prefix?: boolean;
  /** First revision looked at. */
  readonly startRevision: number;
  readonly signal: AbortSignal;
}

/**
 * The first event of this type; null when history up to it was compacted meanwhile: then only the
 * state can tell. Throws CanceledError when the signal fires.
 */
export async function waitForEvent(
  client: KvWatchLease,
  key: Bytes,
  type: WatchEvent["type"],
  { prefix = false, startRevision, signal }: EventWait,
): Promise<WatchEvent | null> {
  const filter = type === "put" ? { noDelete: true } : { noPut: true };
  // A member without a leader hears of nothing: the watch then moves to another one.
  const range = { prefix, startRevision, requireLeader: true };
  const watcher = client.watch.watch(key, { ...range, signal, ...filter });
  try {
    for await (const event of watcher.events()) if (event.type === type) return event;
  } catch (error) {
    if (error instanceof CompactedError) return null;
    throw error;
  } finally {
    await watcher.cancel();
  }
  throw new CanceledError(signal.reason);
}

/** Until no key of the prefix is left that was created at or before the revision. */
export async function waitForPredecessors(
  client: KvWatchLease,
  prefix: string,
  maxCreateRevision: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { kvs, header } = await client.kv.get(prefix, {
      prefix: true,
      sort: { by: "create", order: "descend" },
      limit: 1,
      keysOnly: true,
      maxCreateRevision,
      signal,
    });
    const last = kvs[0];
    if (last === undefined) return;
    await waitForEvent(client, last.key, "delete", { startRevision: header.revision + 1, signal });
  }
}

/**
 * Whether the key is there, and the one that was made at the revision. A get, since a transaction
 * of conditions alone is answered by the member asked from what it knows, be it late.
 */
export async function isThere(kv: Kv, key: string, createRevision: number): Promise<boolean> {
  const { kvs } = await kv.get(key, { keysOnly: true });
  return kvs[0]?.createRevision === createRevision;
}

/** Puts a key that must not exist; null when it does. */
export async function putNew(
  kv: Kv,
  key: string,
  value: Bytes,
  lease?: bigint,
): Promise<Header | null> {
  const put = op.put(key, value, lease === undefined ? {} : { lease });
  const { succeeded, header } = await kv.txn().if(compare.missing(key)).then(put).commit();
  return succeeded ? header : null;
}

/** Deletes a key that is still as it was read; false when somebody was faster. */
export async function deleteUnchanged(kv: Kv, { key, modRevision }: KeyValue): Promise<boolean> {
  const isUnchanged = compare.mod(key).equals(modRevision);
  const { succeeded } = await kv.txn().if(isUnchanged).then(op.delete(key)).commit();
  return succeeded;
}

/** Longest time for taking back what a failed call may have put. */
const takeBackTimeoutMs = 2_000;

/**
 * Deletes a key that a call of the session may have put before it failed, while `isOwn` holds.
 * Fails quietly: then the session's lease takes the key, as it does when the session is lost.
 */
export async function takeBack(
  { client, lost }: RecipeSession,
  key: string,
  ...isOwn: readonly Compare[]
): Promise<void> {
  if (lost.aborted) return;
  const txn = client.kv
    .txn()
    .if(...isOwn)
    .then(op.delete(key));
  await txn.commit({ timeoutMs: takeBackTimeoutMs }).catch(() => undefined);
}

/** A key that exists because its maker put it there. */
export interface MadeKey {
  readonly key: string;
  readonly revision: number;
}

const nameTriesMax = 100;
const nanosPerMs = 1_000_000;

/** A new key below the prefix, named by the time in nanoseconds as etcd's recipes name them. */
export async function putUnique(kv: Kv, prefix: string, value: Bytes): Promise<MadeKey> {
  for (const key of names(prefix)) {
    const header = await putNew(kv, key, value);
    if (header !== null) return { key, revision: header.revision };
  }
  throw noName(prefix);
}

/** The same without a value, on the session's lease. */
export async function putUniqueOnLease(session: RecipeSession, prefix: string): Promise<MadeKey> {
  const { client, leaseId } = session;
  for (const key of names(prefix)) {
    try {
      const header = await putNew(client.kv, key, "", leaseId);
      if (header !== null) return { key, revision: header.revision };
    } catch (error) {
      await takeBack(session, key, compare.lease(key).equals(leaseId));
      throw error;
    }
  }
  throw noName(prefix);
}

function* names(prefix: string): Generator<string, void> {
  for (let tries = 0; tries < nameTriesMax; tries++) {
    const nanos = Math.floor(Math.random() * nanosPerMs);
    yield `${prefix}/${Date.now()}${nanos.toString().padStart(6, "0")}`;
  }
}

function noName(prefix: string): Error {
  return new Error(`Cannot find a free name below "${prefix}" in ${nameTriesMax} tries`);
}
