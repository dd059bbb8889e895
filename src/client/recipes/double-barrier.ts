/**
 * A group of `count` processes that begin together and end together, with the keys of Go's recipe:
 * `<key>/waiters/…` on each session's lease, and `<key>/ready`.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { compare } from "../compare.ts";
import { EtcdError } from "../errors.ts";
import { op } from "../op.ts";
import type { Compare, GetResult } from "../types.ts";
import {
  putUniqueOnLease,
  takeBack,
  underSession,
  waitForEvent,
  type MadeKey,
  type RecipeSession,
  type WaitOptions,
} from "./wait.ts";

/** The group is complete without this process. */
export class TooManyClientsError extends EtcdError {
  constructor() {
    super(grpcCode.failedPrecondition, "too many clients");
  }
}

export class DoubleBarrier {
  readonly #session: RecipeSession;
  readonly #key: string;
  readonly #count: number;
  #mine: MadeKey | null = null;

  constructor(session: RecipeSession, key: string, count: number) {
    this.#session = session;
    this.#key = key;
    this.#count = count;
  }

  /**
   * Until `count` processes have entered. Throws TooManyClientsError for those beyond,
   * SessionExpiredError, or CanceledError when the signal fires.
   */
  enter(options: WaitOptions = {}): Promise<void> {
    const session = this.#session;
    return underSession(session, options, async (signal) => {
      if ((await this.#waiters(signal)).kvs.length >= this.#count) throw new TooManyClientsError();
      const mine = await putUniqueOnLease(session, `${this.#key}/waiters`);
      this.#mine = mine;
      try {
        const last = (await this.#waiters(signal)).kvs[this.#count - 1];
        if (last !== undefined && mine.revision > last.createRevision) {
          throw new TooManyClientsError();
        }
        if (last?.createRevision === mine.revision) {
          await session.client.kv.put(`${this.#key}/ready`, "", { signal });
        } else await this.#waitUntilReady(mine.revision, signal);
      } catch (error) {
        this.#mine = null;
        await takeBack(session, mine.key, this.#isMine(mine));
        throw error;
      }
    });
  }

  /** Until all have left. One that fails instead leaves with its lease. Throws as `enter` does. */
  leave(options: WaitOptions = {}): Promise<void> {
    const { client } = this.#session;
    return underSession(this.#session, options, async (signal) => {
      for (;;) {
        const { kvs: waiters, header } = await this.#waiters(signal);
        const lowest = waiters[0];
        const highest = waiters.at(-1);
        if (lowest === undefined || highest === undefined) return;
        const isMineLowest = lowest.keyString() === this.#mine?.key;
        if (waiters.length === 1 && isMineLowest) {
          await client.kv.delete(`${this.#key}/ready`);
          await this.#remove();
          return;
        }
        if (!isMineLowest) await this.#remove();
        // The first to come is the last to go: it waits for the others, and they for it.
        const other = isMineLowest ? highest : lowest;
        const startRevision = header.revision + 1;
        await waitForEvent(client, other.key, "delete", { startRevision, signal });
      }
    });
  }

  /** Until somebody said so after `revision`; an older word is of a round before. */
  async #waitUntilReady(revision: number, signal: AbortSignal): Promise<void> {
    const { client } = this.#session;
    const key = `${this.#key}/ready`;
    for (;;) {
      const { kvs, header } = await client.kv.get(key, { signal });
      if ((kvs[0]?.modRevision ?? 0) > revision) return;
      const startRevision = header.revision + 1;
      if ((await waitForEvent(client, key, "put", { startRevision, signal })) !== null) return;
    }
  }

  /** In the order they came. */
  #waiters(signal: AbortSignal): Promise<GetResult> {
    return this.#session.client.kv.get(`${this.#key}/waiters/`, {
      prefix: true,
      sort: { by: "create", order: "ascend" },
      signal,
    });
  }

  async #remove(): Promise<void> {
    if (this.#mine === null) return;
    const { key } = this.#mine;
    const txn = this.#session.client.kv.txn().if(this.#isMine(this.#mine)).then(op.delete(key));
    await txn.commit();
    this.#mine = null;
  }

  #isMine({ key, revision }: MadeKey): Compare {
    return compare.create(key).equals(revision);
  }
}
