/**
 * Leader election over the keys of one prefix, the same as Go's concurrency.Election: candidates
 * put a key with their value on their lease, and the key created first leads.
 *
 * EL1  Leadership is given only after the candidate's key was seen to exist when no older did.
 * EL2  A campaign that fails leaves no key of its own behind; the key of another campaign of the
 *      same session stays.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { compare } from "../compare.ts";
import { CanceledError, CompactedError, ElectionNotLeaderError } from "../errors.ts";
import { op } from "../op.ts";
import type { Bytes, Compare, KeyValue, KvWatchLease } from "../types.ts";
import {
  callOptions,
  isThere,
  leaseSuffix,
  sessionExpired,
  takeBack,
  underSession,
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
  readonly #name: string;
  readonly #prefix: string;

  constructor(session: RecipeSession, name: string) {
    this.#session = session;
    this.#name = name;
    this.#prefix = `${name}/`;
  }

  /**
   * Waits until this session leads. One that leads already, or is a candidate, only changes its
   * value. Throws SessionExpiredError, or CanceledError when the signal fires.
   */
  campaign(value: Bytes, options: WaitOptions = {}): Promise<Leadership> {
    const { client } = this.#session;
    return underSession(this.#session, options, async (signal) => {
      const { leadership, isMade } = await this.#enter(value, signal);
      try {
        await waitForPredecessors(client, this.#prefix, leadership.revision - 1, signal);
        const { key, revision } = leadership;
        if (!(await isThere(client.kv, key, revision))) throw sessionExpired(); // EL1
        return leadership;
      } catch (error) {
        if (isMade) await takeBack(this.#session, leadership.key, leadership.isLeader()); // EL2
        throw error;
      }
    });
  }

  async #enter(
    value: Bytes,
    signal: AbortSignal,
  ): Promise<{ readonly leadership: Leadership; readonly isMade: boolean }> {
    const { client, leaseId } = this.#session;
    const key = this.#prefix + leaseSuffix(leaseId);
    const txn = client.kv
      .txn()
      .if(compare.create(key).equals(0))
      .then(op.put(key, value, { lease: leaseId }))
      .else(op.put(key, value, { ignoreLease: true }), op.get(key));
    const entered = await txn.commit({ signal }).catch(async (error: unknown) => {
      // EL2, as far as it can be told: what was put a second time was there before.
      const isNew = compare.version(key).equals(1);
      await takeBack(this.#session, key, isNew, compare.value(key).equals(value));
      throw error;
    });
    const revision = entered.succeeded
      ? entered.header.revision
      : (entered.responses[1].kvs[0]?.createRevision ?? 0);
    const leadership = new Leadership(this.#session, key, revision);
    return { leadership, isMade: entered.succeeded };
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
    return observeElection(this.#session.client, this.#name, options);
  }
}

async function leaderOf(
  client: KvWatchLease,
  prefix: string,
  options: WaitOptions,
): Promise<KeyValue | null> {
  const { kvs } = await client.kv.get(prefix, {
    prefix: true,
    sort: { by: "create", order: "ascend" },
    limit: 1,
    ...callOptions(options),
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
  let last: KeyValue | null = null;
  try {
    for (;;) {
      const { kvs, header } = await client.kv.get(prefix, { prefix: true, signal, ...sorted });
      const leader = kvs[0];
      const startRevision = header.revision + 1;
      if (leader === undefined) {
        await waitForEvent(client, prefix, "put", { prefix: true, startRevision, signal });
        continue;
      }
      // Known already when only the history of its watch was compacted.
      if (last === null || !isSame(leader, last)) yield (last = leader);
      for await (const kv of valuesOf(client, leader, startRevision, signal)) yield (last = kv);
    }
  } catch (error) {
    if (!(signal.aborted && error instanceof CanceledError)) throw error;
  }
}

function isSame(a: KeyValue, b: KeyValue): boolean {
  return a.modRevision === b.modRevision && a.createRevision === b.createRevision;
}

/** What the leader puts until its key goes, or until history was compacted. */
async function* valuesOf(
  client: KvWatchLease,
  leader: KeyValue,
  startRevision: number,
  signal: AbortSignal,
): AsyncGenerator<KeyValue, void> {
  const watcher = client.watch.watch(leader.key, { startRevision, requireLeader: true, signal });
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
