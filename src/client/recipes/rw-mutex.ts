/**
 * Many readers or one writer, with the keys of Go's recipe: `<name>/read/…` and `<name>/write/…`.
 * A reader waits for the writers before it, a writer for all before it, so neither starves.
 */
import { CanceledError } from "../errors.ts";
import { Lock } from "./mutex.ts";
import {
  endOfWait,
  putUnique,
  sessionExpired,
  sessionSignal,
  waitForPredecessors,
  type RecipeSession,
  type WaitOptions,
} from "./wait.ts";

export class RwMutex {
  readonly #session: RecipeSession;
  readonly #prefix: string;

  constructor(session: RecipeSession, name: string) {
    this.#session = session;
    this.#prefix = `${name}/`;
  }

  /** Shared with other readers. Throws as {@link Mutex.lock} does. */
  readLock(options: WaitOptions = {}): Promise<Lock> {
    return this.#acquire("read", `${this.#prefix}write`, options);
  }

  /** Alone. */
  writeLock(options: WaitOptions = {}): Promise<Lock> {
    return this.#acquire("write", this.#prefix, options);
  }

  async #acquire(kind: string, waitsFor: string, options: WaitOptions): Promise<Lock> {
    const session = this.#session;
    const signal = sessionSignal(session, options);
    if (signal.aborted) throw endOfWait(session, signal);
    const { kv } = session.client;
    const made = await putUnique(kv, this.#prefix + kind, "", session.leaseId);
    const lock = new Lock(session, made.key, made.revision);
    try {
      await waitForPredecessors(session, waitsFor, made.revision - 1, options);
      if (!(await lock.isHeld())) throw sessionExpired();
      return lock;
    } catch (error) {
      // If even this fails, the lease takes the key with it.
      await lock.unlock().catch(() => false);
      throw signal.aborted && error instanceof CanceledError ? endOfWait(session, signal) : error;
    }
  }
}
