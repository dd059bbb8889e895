import { assert, must } from "../../base/assert.ts";
import type { Clock, Timer, Turn } from "../../base/ports.ts";
import { utf8 } from "../../base/bytes.ts";
import { Batch } from "./backend.ts";
import type { Backend, Bucket, View } from "./backend.ts";
import type { RowWriter } from "./rows.ts";

/**
 * Gathers the rows of all modules into batches and commits them: one filling, one in flight.
 *
 * BW1  A batch holds whole entries: it closes only between entries, and its consistent_index and
 *      term are those of the last entry whose rows it holds.
 * BW2  Batches become durable in order; `view` shows exactly the batches up to `durableBatch`.
 * BW3  A failed commit stops the process through `fail`; nothing is retried (BK4).
 * BW4  Once the backend is to be replaced nothing more is committed to the old one; what was handed
 *      in until `done` of {@link BackendWriter.replace} is dropped with it.
 * BW5  `view` shows the old backend until then, and nobody gets a view of the new one but `load`:
 *      a commit asked for meanwhile is done behind it.
 */

export interface BatcherLimits {
  /** A batch closes at this many rows. */
  readonly batchRowsMax: number;
  /** A batch with something in it closes after this time. */
  readonly batchIntervalMs: number;
}

const batcherLimits: BatcherLimits = { batchRowsMax: 10_000, batchIntervalMs: 100 };

export interface BatcherDeps {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly turn: Turn;
  /** Called when a commit failed; it ends the process. */
  readonly fail: (error: Error) => void;
  readonly limits?: BatcherLimits;
}

export interface DurableListener {
  /** All batches up to `batch` are durable and in the view; so is every entry up to `index`. */
  durable(batch: number, index: number): void;
}

const keyConsistentIndex = utf8("consistent_index");
const keyTerm = utf8("term");

function u64(value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value));
  return out;
}

/** What the owner does about a new backend. */
export interface Replacing {
  /** Reads from the new backend what it needs, over many turns if need be, and calls `loaded`. */
  readonly load: (view: View, loaded: () => void) => void;
  /**
   * Runs in the call that changes `view`, before anything else sees it: the owner's picture of the
   * rows is to be replaced there.
   */
  readonly done: () => void;
}

export class BackendWriter implements RowWriter {
  readonly #deps: BatcherDeps;
  readonly #limits: BatcherLimits;
  #open = new Batch();
  #inFlight: Batch | null = null;
  #due = false;
  #timer: Timer | null = null;
  /** Completions for the batch filling, and for the one in flight. */
  #waiting: (() => void)[] = [];
  #waitingInFlight: (() => void)[] = [];
  readonly #listeners: DurableListener[] = [];
  #index: number;
  #term = 0;
  #indexInFlight = 0;
  #indexDirty = false;
  #closed = false;
  #replacement: { readonly path: string; readonly by: Replacing } | null = null;
  /** Of the new backend, while it is being loaded. */
  #nextView: View | null = null;

  /** The read view in use: newest durable state. Replaced by each commit; never keep it. */
  view: View;
  /** Number of the batch that rows go into now, from 1. */
  openBatch = 1;
  /** Newest batch in `view`. */
  durableBatch = 0;
  /** Newest entry index contained in `view`. */
  durableIndex: number;

  constructor(deps: BatcherDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? batcherLimits;
    this.view = deps.backend.view();
    this.durableIndex = this.view.consistentIndex;
    this.#index = this.durableIndex;
  }

  /** Called in order of registration after each commit, with `view` already replaced. */
  addListener(listener: DurableListener): void {
    this.#listeners.push(listener);
  }

  /** Bytes of rows that are not durable yet: proposals stall above the owner's bound. */
  get overlayBytes(): number {
    return this.#open.bytes + (this.#inFlight?.bytes ?? 0);
  }

  /** Rows in the batch filling. */
  get openRows(): number {
    return this.#open.size;
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#open.put(bucket, key, value);
    if (this.#timer === null) this.#startTimer();
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#open.delete(bucket, key);
    if (this.#timer === null) this.#startTimer();
  }

  /** The owner has applied entry `index` completely (BW1). Entries without rows count too. */
  applied(index: number, term: number): void {
    this.#index = index;
    this.#term = term;
    this.#indexDirty = true;
    if (this.#open.size >= this.#limits.batchRowsMax) this.#close();
    else if (this.#timer === null) this.#startTimer();
  }

  /**
   * Commits what was handed in so far as soon as possible; `done` runs once it is durable and in
   * `view`, never before this call returned. Not to be called within an entry.
   */
  commit(done: () => void): void {
    const isEmpty = this.#open.size === 0 && !this.#indexDirty;
    if (!isEmpty) {
      this.#waiting.push(done);
      this.#close();
    } else if (this.#inFlight !== null) this.#waitingInFlight.push(done);
    else if (this.#replacement !== null)
      this.#waiting.push(done); // BW5
    else this.#deps.turn.next(done);
  }

  /**
   * Puts the prepared environment at `path` in the place of the backend (BW4, BW5). Behind `by.done`
   * all who wait for a commit are told. Closing the writer cuts it short: then `load` is to stop. A
   * failure ends the process.
   */
  replace(path: string, by: Replacing): void {
    assert(this.#replacement === null, "two replacements of the backend at once");
    this.#replacement = { path, by };
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#inFlight === null) this.#replace();
  }

  /** A view of the newest durable state that the caller keeps and closes. */
  openView(): View {
    return this.#deps.backend.view();
  }

  /** Stops the timer and closes the view. The owner has waited for {@link commit} before. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.view.close();
    this.#nextView?.close();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  #replace(): void {
    const { path, by } = must(this.#replacement);
    this.#deps.backend.replace(path, (error) => {
      // A stop may cut it short; the next start takes the prepared environment.
      if (this.#closed) return;
      if (error !== null) {
        this.#deps.fail(error);
        return;
      }
      const view = this.#deps.backend.view();
      this.#nextView = view;
      by.load(view, () => {
        if (!this.#closed) this.#replaced(view, by);
      });
    });
  }

  #replaced(view: View, by: Replacing): void {
    this.#replacement = null;
    this.#nextView = null;
    this.#due = false;
    const old = this.view;
    this.view = view;
    old.close();
    this.#open = new Batch();
    this.#indexDirty = false;
    // Batches of the old backend never end; their numbers are not used again.
    this.durableBatch = this.openBatch;
    this.openBatch++;
    this.durableIndex = this.view.consistentIndex;
    this.#index = this.durableIndex;
    const waiting = this.#waiting;
    this.#waiting = [];
    by.done();
    for (const listener of this.#listeners) listener.durable(this.durableBatch, this.durableIndex);
    for (const run of waiting) run();
  }

  #startTimer(): void {
    this.#timer = this.#deps.clock.after(this.#limits.batchIntervalMs, () => {
      this.#timer = null;
      this.#close();
    });
  }

  #close(): void {
    if (this.#closed || this.#replacement !== null) return; // BW4
    if (this.#inFlight !== null) {
      this.#due = true;
      return;
    }
    this.#due = false;
    this.#timer?.cancel();
    this.#timer = null;
    const batch = this.#open;
    if (this.#indexDirty) {
      batch.put("meta", keyConsistentIndex, u64(this.#index));
      batch.put("meta", keyTerm, u64(this.#term));
    }
    this.#indexDirty = false;
    this.#inFlight = batch;
    this.#indexInFlight = this.#index;
    this.#waitingInFlight = this.#waiting;
    this.#waiting = [];
    this.#open = new Batch();
    this.openBatch++;
    this.#deps.backend.commit(batch, (error) => {
      if (error !== null) this.#deps.fail(error);
      else this.#committed();
    });
  }

  /** BW2. */
  #committed(): void {
    if (this.#closed) return;
    const old = this.view;
    this.view = this.#deps.backend.view();
    old.close();
    this.#inFlight = null;
    this.durableBatch++;
    assert(this.durableBatch === this.openBatch - 1, "commits out of order");
    this.durableIndex = this.#indexInFlight;
    const waiting = this.#waitingInFlight;
    this.#waitingInFlight = [];
    for (const listener of this.#listeners) listener.durable(this.durableBatch, this.durableIndex);
    for (const done of waiting) done();
    if (this.#replacement !== null) this.#replace();
    else if (this.#due || this.#open.size >= this.#limits.batchRowsMax) this.#close();
  }
}
