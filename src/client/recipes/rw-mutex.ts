/**
 * Many readers or one writer, with the keys of Go's recipe: `<name>/read/…` and `<name>/write/…`.
 * A reader waits for the writers before it, a writer for all before it, so neither starves.
 */
import { Lock } from "./mutex.ts";
import {
  putUniqueOnLease,
  sessionExpired,
  takeBack,
  underSession,
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

  #acquire(kind: string, waitsFor: string, options: WaitOptions): Promise<Lock> {
    const session = this.#session;
    const { client } = session;
    return underSession(session, options, async (signal) => {
      const made = await putUniqueOnLease(session, this.#prefix + kind);
      const lock = new Lock(session, made.key, made.revision);
      try {
        await waitForPredecessors(client, waitsFor, made.revision - 1, signal);
        if (!(await lock.isHeld())) throw sessionExpired();
        return lock;
      } catch (error) {
        await takeBack(session, lock.key, lock.isOwner());
        throw error;
      }
    });
  }
}
