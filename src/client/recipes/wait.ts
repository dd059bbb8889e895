/** What the recipes wait for and make: keys that go, keys that are new. */
import { compare } from "../compare.ts";
import { CanceledError, CompactedError, SessionExpiredError } from "../errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import { op } from "../op.ts";
import type { Bytes, Header, Kv, KvWatchLease, KeyValue, WatchEvent } from "../types.ts";

/** A lease that is kept alive, and what was made with it; lease/session.ts makes one. */
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

/** A signal that fires when the caller's does or the session is lost. */
export function sessionSignal(session: RecipeSession, { signal }: WaitOptions): AbortSignal {
  return signal === undefined ? session.lost : AbortSignal.any([session.lost, signal]);
}

/** What a wait that `signal` ended fails with. */
export function endOfWait(session: RecipeSession | undefined, signal: AbortSignal): Error {
  return session?.lost.aborted === true ? sessionExpired() : new CanceledError(signal.reason);
}

/** etcd's text, so that callers of both can compare. */
export function sessionExpired(): SessionExpiredError {
  return new SessionExpiredError(grpcCode.unknown, "mutex: session is expired");
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
  const watcher = client.watch.watch(key, { prefix, startRevision, signal, ...filter });
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
  session: RecipeSession,
  prefix: string,
  maxCreateRevision: number,
  options: WaitOptions,
): Promise<void> {
  const { client } = session;
  const signal = sessionSignal(session, options);
  try {
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
      const startRevision = header.revision + 1;
      await waitForEvent(client, last.key, "delete", { startRevision, signal });
    }
  } catch (error) {
    throw signal.aborted ? endOfWait(session, signal) : error;
  }
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

/** A key that exists because its maker put it there. */
export interface MadeKey {
  readonly key: string;
  readonly revision: number;
}

const nameTriesMax = 100;
const nanosPerMs = 1_000_000;

/** A new key below the prefix, named by the time as etcd's recipes name them. */
export async function putUnique(
  kv: Kv,
  prefix: string,
  value: Bytes,
  lease?: bigint,
): Promise<MadeKey> {
  for (let tries = 0; tries < nameTriesMax; tries++) {
    const nanos = Math.floor(Math.random() * nanosPerMs);
    const key = `${prefix}/${Date.now()}${nanos.toString().padStart(6, "0")}`;
    const header = await putNew(kv, key, value, lease);
    if (header !== null) return { key, revision: header.revision };
  }
  throw new Error(`Cannot find a free name below "${prefix}" in ${nameTriesMax} tries`);
}
