import type { EtcdError } from "../../base/etcd-errors.ts";
import { errCompacted } from "../../base/etcd-errors.ts";
import { RangeJob } from "./range.ts";
import type { KvStore } from "./store.ts";
import type { RangeRequest, RangeResult } from "./types.ts";

export interface RangePiece extends RangeResult {
  /** The interval is exhausted: `count` and `more` are final. */
  isLast: boolean;
}

/**
 * A range read in pieces of the caller's size at one revision. It holds no pin: a compaction above
 * the revision ends it with errCompacted, so a slow reader delays nobody.
 */
export class RangeCursor {
  readonly #store: KvStore;
  readonly #job: RangeJob;

  constructor(store: KvStore, request: RangeRequest, revision: number) {
    this.#store = store;
    this.#job = new RangeJob(store, request, revision);
  }

  get revision(): number {
    return this.#job.revision;
  }

  /**
   * Up to `keysMax` (>= 1) further key-values. A piece may be empty and not the last, when many
   * keys were only counted: go on in the next turn.
   */
  next(keysMax: number): RangePiece | EtcdError {
    if (this.#job.revision < this.#store.compactRevision) return errCompacted;
    const isLast = this.#job.step(this.#store.limits.rangeKeysPerTurn, keysMax);
    return { ...this.#job.take(), isLast };
  }
}
