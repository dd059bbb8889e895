/**
 * Leader election over the keys of one prefix, the same as Go's concurrency.Election: candidates
 * put a key with their value on their lease, and the key created first leads.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { compare } from "../compare.ts";
import { CanceledError, CompactedError, ElectionNotLeaderError } from "../errors.ts";
import { op } from "../op.ts";
import type { Bytes, Compare, KeyValue, KvWatchLease } from "../types.ts";
import {
  leaseSuffix,
  sessionExpired,
  waitForEvent,
  waitForPredecessors,
  type RecipeSession,
  type WaitOptions,
} from "./wait.ts";

/** What a leader holds. */
export class Leadership {
  readonly key: string;
  /** Revision that created the key: a fencing token, rises with every leader. */
  readonly revision: number;
  /** Fires when the session is lost, and the leadership with it. */
  readonly lost: AbortSignal;
  readonly #session: RecipeSession;

  constructor(session: RecipeSession, key: string, revision: number) {
    this.key = key;
    this.revision = revision;
    this.lost = session.lost;
    this.#session = session;
  }

  /** For transactions that only the leader may make. */
  isLeader(): Compare {
    return compare.create(this.key).equals(this.revision);
  }

  /** Gives the leader's key another value. Throws ElectionNotLeaderError when it is gone. */
  async proclaim(value: Bytes): Promise<void> {
    const put = op.put(this.key, value, { lease: this.#session.leaseId });
    const { kv } = this.#session.client;
    const { succeeded } = await kv.txn().if(this.isLeader()).then(put).commit();
    if (!succeeded) throw new ElectionNotLeaderError(grpcCode.unknown, "election: not leader");
  }

  /** Lets the next candidate lead; false when the leadership was lost before. */
  async resign(): Promise<boolean> {
    const { kv } = this.#session.client;
    const txn = kv.txn().if(this.isLeader()).then(op.delete(this.key));
    return (await txn.commit()).succeeded;
  }
}

export class Election {
  readonly #session: RecipeSession;
  readonly #prefix: string;

  constructor(session: RecipeSession, name: string) {
    this.#session = session;
    this.#prefix = `${name}/`;
  }

  /** Waits until this session leads. Throws SessionExpiredError or CanceledError. */
  async campaign(value: Bytes, options: WaitOptions = {}): Promise<Leadership> {
    const { client, leaseId, lost } = this.#session;
    if (lost.aborted) throw sessionExpired();
    const key = this.#prefix + leaseSuffix(leaseId);
    const entered = await client.kv
      .txn()
      .if(compare.create(key).equals(0))
      .then(op.put(key, value, { lease: leaseId }))
      .else(op.put(key, value, { ignoreLease: true }), op.get(key))
      .commit();
    const revision = entered.succeeded
      ? entered.header.revision
      : (entered.responses[1].kvs[0]?.createRevision ?? 0);
    const leadership = new Leadership(this.#session, key, revision);
    try {
      await waitForPredecessors(this.#session, this.#prefix, revision - 1, options);
      const { succeeded } = await client.kv.txn().if(leadership.isLeader()).commit();
      if (!succeeded) throw sessionExpired();
      return leadership;
    } catch (error) {
      // If even this fails, the lease takes the key with it.
      await leadership.resign().catch(() => false);
      throw error;
    }
  }

  /** Takes up the leadership that a former process of the same session held. */
  resume(key: string, revision: number): Leadership {
    return new Leadership(this.#session, key, revision);
  }

  /** The leader's key and value, null if there is none. */
  leader(options: WaitOptions = {}): Promise<KeyValue | null> {
    return leaderOf(this.#session.client, this.#prefix, options);
  }

  /** Every leader and every value it proclaims, beginning with the present one. */
  observe(options: WaitOptions = {}): AsyncIterable<KeyValue> {
    return observeElection(this.#session.client, this.#prefix.slice(0, -1), options);
  }
}

async function leaderOf(
  client: KvWatchLease,
  prefix: string,
  { signal }: WaitOptions,
): Promise<KeyValue | null> {
  const { kvs } = await client.kv.get(prefix, {
    prefix: true,
    sort: { by: "create", order: "ascend" },
    limit: 1,
    ...(signal === undefined ? {} : { signal }),
  });
  return kvs[0] ?? null;
}

/**
 * {@link Election.observe} for who does not take part. Ends quietly when the signal fires. Values
 * that were replaced before they were seen may be left out; the last one never is.
 */
export async function* observeElection(
  client: KvWatchLease,
  name: string,
  options: WaitOptions = {},
): AsyncGenerator<KeyValue, void> {
  const signal = options.signal ?? new AbortController().signal;
  const prefix = `${name}/`;
  const sorted = { sort: { by: "create", order: "ascend" }, limit: 1 } as const;
  try {
    for (;;) {
      const { kvs, header } = await client.kv.get(prefix, { prefix: true, signal, ...sorted });
      const leader = kvs[0];
      const startRevision = header.revision + 1;
      if (leader === undefined) {
        await waitForEvent(client, prefix, "put", { prefix: true, startRevision, signal });
        continue;
      }
      yield leader;
      yield* valuesOf(client, leader, startRevision, signal);
    }
  } catch (error) {
    if (!(signal.aborted && error instanceof CanceledError)) throw error;
  }
}

/** What the leader puts until its key goes, or until history was compacted. */
async function* valuesOf(
  client: KvWatchLease,
  leader: KeyValue,
  startRevision: number,
  signal: AbortSignal,
): AsyncGenerator<KeyValue, void> {
  const watcher = client.watch.watch(leader.key, { startRevision, signal });
  try {
    for await (const event of watcher.events()) {
      if (event.type === "delete") return;
      yield event.kv;
    }
  } catch (error) {
    if (error instanceof CompactedError) return;
    throw error;
  } finally {
    await watcher.cancel();
  }
  throw new CanceledError(signal.reason);
}
