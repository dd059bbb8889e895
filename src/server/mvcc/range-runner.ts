import { errCompacted } from "../../base/etcd-errors.ts";
import { RangeJob } from "./range.ts";
import type { KvStore } from "./store.ts";
import type { RangeOutcome, RangeRequest, RangeResult } from "./types.ts";

/** Keys a range may look at before it moves to slices over turns. */
const keysAtOnce = 4096;
/** Keys a range may look at in spite of RR2: small reads do not wait for slow readers of others. */
const keysWhileFull = 256;

interface Running {
  readonly request: RangeRequest;
  readonly job: RangeJob;
  readonly done: (outcome: RangeOutcome) => void;
}

/**
 * Works off large ranges: one slice of one range per turn, in rounds.
 *
 * RR1  Every range here pins its revision until it is done (S3).
 * RR2  No large range goes on while results not yet released exceed the bound; those wait in order.
 */
export class RangeRunner {
  readonly #store: KvStore;
  #running: Running[] = [];
  #waiting: Running[] = [];
  #bytesInFlight = 0;
  #isScheduled = false;
  readonly #tick = (): void => {
    this.#isScheduled = false;
    this.#slice();
  };

  constructor(store: KvStore) {
    this.#store = store;
  }

  run(request: RangeRequest, done: (outcome: RangeOutcome) => void): RangeOutcome | null {
    const store = this.#store;
    const error = store.checkRevision(request.revision);
    if (error !== null) return error;
    const revision = store.revisionOf(request.revision);
    if (request.rangeEnd.length === 0) return this.#count(store.range(request) as RangeResult);
    store.counts.ranges++;
    const job = new RangeJob(store, request, revision);
    const mustWait = this.#bytesInFlight > store.limits.rangeBytesInFlightMax;
    const budget = mustWait ? keysWhileFull : keysAtOnce;
    if (job.step(Math.min(budget, store.limits.rangeKeysPerTurn))) return this.#count(job.take());
    store.pin(revision); // RR1
    (mustWait ? this.#waiting : this.#running).push({ request, job, done }); // RR2
    if (!mustWait) this.#schedule();
    return null;
  }

  release(result: RangeResult): void {
    this.#bytesInFlight -= result.chunkBytes;
    while (
      this.#waiting.length > 0 &&
      this.#bytesInFlight <= this.#store.limits.rangeBytesInFlightMax &&
      this.#running.length === 0
    ) {
      this.#running.push(this.#waiting.shift()!);
      this.#schedule();
    }
  }

  /** The store's content was replaced: every range starts again at its revision (S5). */
  restart(): void {
    this.#running = this.#running.flatMap((running) => this.#again(running));
    this.#waiting = this.#waiting.flatMap((waiting) => this.#again(waiting));
  }

  #again({ request, job, done }: Running): Running[] {
    const store = this.#store;
    const { revision } = job;
    if (revision < store.compactRevision) {
      store.deps.turn.next(() => {
        done(errCompacted);
      });
      return [];
    }
    store.pin(revision); // RR1
    return [{ request, job: new RangeJob(store, request, revision), done }];
  }

  #count(result: RangeResult): RangeResult {
    this.#bytesInFlight += result.chunkBytes;
    return result;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#store.deps.turn.next(this.#tick);
  }

  #slice(): void {
    const running = this.#running.shift();
    if (running === undefined || this.#store.isClosed) return;
    const { job, done } = running;
    if (job.step(this.#store.limits.rangeKeysPerTurn)) {
      const result = this.#count(job.take());
      this.#store.unpin(job.revision);
      done(result);
    } else this.#running.push(running);
    if (this.#running.length > 0) this.#schedule();
    else this.release(nothing);
  }
}

const nothing: RangeResult = { count: 0, more: false, kvCount: 0, chunks: [], chunkBytes: 0 };
