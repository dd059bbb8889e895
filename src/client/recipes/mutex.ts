/**
 * A lock over the keys of one prefix, the same as Go's concurrency.Mutex: each session that wants
 * it puts a key on its lease, and the key created first holds it.
 *
 * MX1  A lock is given only after its key was seen to exist when no older key did.
 * MX2  Unlocking deletes the key only if it is the one that was made: a lock that was lost and
 *      taken anew is not released by its former holder.
 * MX3  A call that ends without the lock leaves no key of its own behind; the key that another
 *      call of the same session made stays.
 */
import { compare } from "../compare.ts";
import { op } from "../op.ts";
import type { Compare, Kv } from "../types.ts";
import {
  isThere,
  leaseSuffix,
  sessionExpired,
  takeBack,
  underSession,
  waitForPredecessors,
  type RecipeSession,
  type WaitOptions,
} from "./wait.ts";

/** A held lock. Its holder is sure of it only as far as every write carries {@link isOwner}. */
export class Lock {
  readonly key: string;
  /**
   * Revision that created the key: rises with every holder, so storage outside of etcd can refuse
   * what comes with a lower one (a fencing token).
   */
  readonly fencingRevision: number;
  /** Fires when the session is lost, and the lock with it. */
  readonly lost: AbortSignal;
  readonly #kv: Kv;

  constructor(session: RecipeSession, key: string, fencingRevision: number) {
    this.key = key;
    this.fencingRevision = fencingRevision;
    this.lost = session.lost;
    this.#kv = session.client.kv;
  }

  /** For transactions that must only happen under the lock. */
  isOwner(): Compare {
    return compare.create(this.key).equals(this.fencingRevision);
  }

  /** Asks the cluster. True is true of that moment only. */
  isHeld(): Promise<boolean> {
    return isThere(this.#kv, this.key, this.fencingRevision);
  }

  /** Lets go of the lock; false when it was lost before (MX2). */
  async unlock(): Promise<boolean> {
    const txn = this.#kv.txn().if(this.isOwner()).then(op.delete(this.key));
    return (await txn.commit()).succeeded;
  }
}

interface Entered {
  readonly lock: Lock;
  readonly isFirst: boolean;
  readonly isMade: boolean;
}

/**
 * A session holds the lock as a whole: a second `lock` of the same name and session is given at
 * once, and the first `unlock` ends both.
 */
export class Mutex {
  readonly #session: RecipeSession;
  readonly #prefix: string;
  readonly #value: string | undefined;

  /** `value`: what the keys hold, where no two calls of the session overlap; else a random text. */
  constructor(session: RecipeSession, name: string, value?: string) {
    this.#session = session;
    this.#prefix = `${name}/`;
    this.#value = value;
  }

  /** Waits for the lock. Throws SessionExpiredError, or CanceledError when the signal fires. */
  lock(options: WaitOptions = {}): Promise<Lock> {
    return underSession(this.#session, options, async (signal) => {
      const { lock, isFirst, isMade } = await this.#enter(signal);
      if (isFirst) return lock;
      try {
        const before = lock.fencingRevision - 1;
        await waitForPredecessors(this.#session.client, this.#prefix, before, signal);
        if (!(await lock.isHeld())) throw sessionExpired(); // MX1
        return lock;
      } catch (error) {
        if (isMade) await takeBack(this.#session, lock.key, lock.isOwner()); // MX3
        throw error;
      }
    });
  }

  /** The lock if it is free, else null. Throws as {@link lock} does. */
  tryLock(options: WaitOptions = {}): Promise<Lock | null> {
    return underSession(this.#session, options, async (signal) => {
      const { lock, isFirst, isMade } = await this.#enter(signal);
      if (isFirst) return lock;
      if (isMade) await lock.unlock(); // MX3
      return null;
    });
  }

  /** Puts the session's key, or finds it there, and tells whether it is the oldest. */
  async #enter(signal: AbortSignal): Promise<Entered> {
    const { client, leaseId } = this.#session;
    const key = this.#prefix + leaseSuffix(leaseId);
    const oldest = op.get(this.#prefix, {
      prefix: true,
      sort: { by: "create", order: "ascend" },
      limit: 1,
    });
    // Tells this call's key from one that another call of the session made.
    const mark = this.#value ?? crypto.randomUUID();
    const txn = client.kv
      .txn()
      .if(compare.create(key).equals(0))
      .then(op.put(key, mark, { lease: leaseId }), oldest)
      .else(op.get(key), oldest);
    const entered = await txn.commit({ signal }).catch(async (error: unknown) => {
      await takeBack(this.#session, key, compare.value(key).equals(mark)); // MX3
      throw error;
    });
    const owner = entered.responses[1].kvs[0]?.createRevision;
    const revision = entered.succeeded
      ? entered.header.revision
      : (entered.responses[0].kvs[0]?.createRevision ?? 0);
    const lock = new Lock(this.#session, key, revision);
    return { lock, isFirst: owner === revision, isMade: entered.succeeded };
  }
}
