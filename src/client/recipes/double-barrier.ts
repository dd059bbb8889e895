/**
 * A group of `count` processes that begin together and end together, with the keys of Go's recipe:
 * `<key>/waiters/…` on each session's lease, and `<key>/ready`.
 */
import { grpcCode } from "../../base/grpc-code.ts";
import { compare } from "../compare.ts";
import { EtcdError, SessionExpiredError } from "../errors.ts";
import { op } from "../op.ts";
import type { KeyValue } from "../types.ts";
import {
  endOfWait,
  putUnique,
  sessionSignal,
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

  /** Until `count` processes have entered. Throws TooManyClientsError for those beyond. */
  async enter(options: WaitOptions = {}): Promise<void> {
    const { client, leaseId } = this.#session;
    if ((await this.#waiters(options)).length >= this.#count) throw new TooManyClientsError();
    this.#mine = await putUnique(client.kv, `${this.#key}/waiters`, "", leaseId);
    const last = (await this.#waiters(options))[this.#count - 1];
    if (last !== undefined && this.#mine.revision > last.createRevision) {
      await this.#remove();
      throw new TooManyClientsError();
    }
    if (last?.createRevision === this.#mine.revision) {
      await client.kv.put(`${this.#key}/ready`, "");
      return;
    }
    await this.#waitFor(`${this.#key}/ready`, "put", this.#mine.revision + 1, options);
  }

  /** Until all have left. One that fails instead leaves with its lease. */
  async leave(options: WaitOptions = {}): Promise<void> {
    for (;;) {
      const waiters = await this.#waiters(options);
      const lowest = waiters[0];
      const highest = waiters.at(-1);
      if (lowest === undefined || highest === undefined) return;
      const isMineLowest = lowest.keyString() === this.#mine?.key;
      if (waiters.length === 1 && isMineLowest) {
        await this.#session.client.kv.delete(`${this.#key}/ready`);
        await this.#remove();
        return;
      }
      if (!isMineLowest) await this.#remove();
      // The first to come is the last to go: it waits for the others, and they for it.
      const other = isMineLowest ? highest : lowest;
      await this.#waitFor(other.keyString(), "delete", other.createRevision, options);
    }
  }

  /** In the order they came. */
  async #waiters(options: WaitOptions): Promise<readonly KeyValue[]> {
    const { kvs } = await this.#session.client.kv.get(`${this.#key}/waiters/`, {
      prefix: true,
      sort: { by: "create", order: "ascend" },
      signal: sessionSignal(this.#session, options),
    });
    return kvs;
  }

  async #remove(): Promise<void> {
    if (this.#mine === null) return;
    const { key, revision } = this.#mine;
    this.#mine = null;
    const isMine = compare.create(key).equals(revision);
    await this.#session.client.kv.txn().if(isMine).then(op.delete(key)).commit();
  }

  async #waitFor(
    key: string,
    type: "put" | "delete",
    startRevision: number,
    options: WaitOptions,
  ): Promise<void> {
    const signal = sessionSignal(this.#session, options);
    try {
      await waitForEvent(this.#session.client, key, type, { startRevision, signal });
    } catch (error) {
      const end = signal.aborted ? endOfWait(this.#session, signal) : error;
      if (!(end instanceof SessionExpiredError)) await this.#remove().catch(() => undefined);
      throw end;
    }
  }
}
