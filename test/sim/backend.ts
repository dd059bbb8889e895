import { assert } from "../../src/base/assert.ts";
import { utf8 } from "../../src/base/bytes.ts";
import type { Clock, Done, Random } from "../../src/base/ports.ts";
import { buckets } from "../../src/server/backend/backend.ts";
import type {
  Backend,
  BackendSize,
  Batch,
  Bucket,
  View,
} from "../../src/server/backend/backend.ts";
import type { ImageExport, ImageImport } from "../../src/server/backend/image.ts";
import { exportView, importRows } from "./image.ts";
import type { LoadedRow } from "./image.ts";
import { deleteRow, getRow, putRow, visitRows } from "./row-map.ts";
import type { RowMap } from "./row-map.ts";

/**
 * The simulated backend: a disk that survives crashes, and the backend that runs on it.
 *
 * SB1  Commits reach the disk in order; a crash keeps a prefix of them, never shorter than what was
 *      reported, possibly longer.
 * SB2  A commit that failed may be on the disk after the crash, or not: nobody can tell.
 * SB3  Replacing is one more step of that kind: a crash keeps it or not, and then what was
 *      prepared is where it was.
 */

/** Rows of every bucket after some commit. Never changes. */
interface State {
  readonly rows: Readonly<Record<Bucket, RowMap>>;
  /** Bytes of all rows, with what a row costs beyond them. */
  readonly bytes: number;
}

interface PendingCommit {
  readonly state: State;
  readonly done: Done;
}

export interface SimBackendOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A commit takes 0 to this long; a slow disk is a large number. */
  readonly commitDelayMsMax?: number;
}

const keyConsistentIndex = utf8("consistent_index");
const pageBytes = 4096;
const rowCostBytes = 32;
const defaultCommitDelayMsMax = 5;

const emptyState: State = {
  rows: Object.fromEntries(buckets.map((name) => [name, null])) as Record<Bucket, RowMap>,
  bytes: 0,
};

export class SimBackendDisk {
  #durable = emptyState;
  /** Prepared environments by path: durable, used by nobody. */
  readonly #prepared = new Map<string, State>();
  /** States that in-flight commits lead to, oldest first: what a crash may have kept (SB1). */
  #maybe: State[] = [];
  #failIn: number | null = null;
  #bytesMax = Infinity;
  fileBytes = 2 * pageBytes;
  #running: SimBackend | null = null;

  /** Starts a backend on what is here. The one before must have been closed or crashed. */
  open(options: SimBackendOptions): Backend {
    assert(this.#running === null, "opened twice");
    this.#running = new SimBackend(this, options);
    return this.#running;
  }

  /** The process dies: callbacks of the running backend never come. */
  crash(random: Random): void {
    this.#running?.kill();
    this.#running = null;
    const kept = random.below(this.#maybe.length + 1);
    for (const state of this.#maybe.slice(0, kept)) this.#keep(state);
    this.#maybe = [];
    this.#failIn = null;
  }

  /** Boot, while stopped: as `takePrepared` of the real one. */
  takePrepared(path: string): boolean {
    const state = this.#prepared.get(path);
    if (state === undefined) return false;
    this.#change(state);
    this.#prepared.delete(path);
    return true;
  }

  /** Boot, while stopped: as `clearPrepared` of the real one. */
  clearPrepared(): void {
    this.#prepared.clear();
  }

  /** Fault: the n-th commit from now (1 = the next) fails, and so does every later one. */
  failCommit(n: number): void {
    this.#failIn = n;
  }

  /** Fault: the disk holds this many bytes of rows; Infinity mends it. */
  setBytesMax(bytes: number): void {
    this.#bytesMax = bytes;
  }

  /** Fault, while stopped: the whole database is gone. */
  wipe(): void {
    this.#change(emptyState);
    this.fileBytes = 2 * pageBytes;
  }

  /** Fault, while stopped: a row is gone. */
  loseRow(bucket: Bucket, key: Uint8Array): void {
    const { rows, bytes } = this.#durable;
    this.#change({ rows: { ...rows, [bucket]: deleteRow(rows[bucket], key) }, bytes });
  }

  /** Fault, while stopped: one bit of a row's value is wrong. */
  flipRow(bucket: Bucket, key: Uint8Array, bit: number): void {
    const { rows, bytes } = this.#durable;
    const value = getRow(rows[bucket], key)?.slice();
    assert(value !== undefined && bit < value.length * 8, "no such bit");
    value[bit >> 3]! ^= 1 << (bit & 7);
    this.#change({ rows: { ...rows, [bucket]: putRow(rows[bucket], key, value) }, bytes });
  }

  #change(state: State): void {
    assert(this.#running === null, "the database is in use");
    this.#durable = state;
  }

  /** What follows is for the backend that runs on this disk. */
  get durable(): State {
    return this.#durable;
  }

  prepare(path: string, rows: readonly LoadedRow[]): void {
    this.#prepared.set(path, stateOf(rows));
  }

  prepared(path: string): State | null {
    return this.#prepared.get(path) ?? null;
  }

  #keep(state: State): void {
    this.#durable = state;
    for (const [path, prepared] of this.#prepared) {
      if (prepared === state) this.#prepared.delete(path); // SB3
    }
  }

  begin(state: State): void {
    this.#maybe.push(state);
  }

  /** The oldest commit under way ends; its error, or null. */
  finish(): Error | null {
    const state = this.#maybe[0];
    assert(state !== undefined, "no commit under way");
    if (this.#failIn !== null) this.#failIn--;
    const isFailing = this.#failIn !== null && this.#failIn <= 0;
    if (isFailing || state.bytes > this.#bytesMax) {
      // Only this one was being written: those behind it never will be (BK4).
      this.#maybe = [state];
      return new Error(isFailing ? "simulated commit failure" : "simulated disk is full");
    }
    this.#maybe.shift();
    this.#keep(state);
    const pages = Math.ceil(state.bytes / pageBytes) + 2;
    this.fileBytes = Math.max(this.fileBytes, pages * pageBytes);
    return null;
  }

  ended(): void {
    this.#running = null;
    this.#maybe = [];
  }
}

class SimBackend implements Backend {
  readonly #disk: SimBackendDisk;
  readonly #options: SimBackendOptions;
  readonly #pending: PendingCommit[] = [];
  #isDead = false;
  #error: Error | null = null;
  #closing: Done | null = null;

  constructor(disk: SimBackendDisk, options: SimBackendOptions) {
    this.#disk = disk;
    this.#options = options;
  }

  kill(): void {
    this.#isDead = true;
  }

  commit(batch: Batch, done: Done): void {
    assert(this.#closing === null, "commit after close");
    const state = apply(this.#pending.at(-1)?.state ?? this.#disk.durable, batch);
    if (this.#error === null) this.#disk.begin(state);
    this.#pending.push({ state, done });
    if (this.#pending.length === 1) this.#schedule();
  }

  view(): View {
    assert(this.#closing === null, "view after close");
    return new SimView(this.#disk.durable);
  }

  size(): BackendSize {
    const used = (Math.ceil(this.#disk.durable.bytes / pageBytes) + 2) * pageBytes;
    return { file: Math.max(this.#disk.fileBytes, used), inUse: used };
  }

  defragment(done: Done): void {
    assert(this.#closing === null, "defragment after close");
    this.#later(() => {
      this.#disk.fileBytes = this.size().inUse;
      done(this.#error);
    });
  }

  exportImage(done: Done<ImageExport>): void {
    exportView(this.view(), (run) => this.#later(run), done);
  }

  importImage(path: string): ImageImport {
    return importRows(
      (run) => this.#later(run),
      (rows) => this.#disk.prepare(path, rows),
    );
  }

  replace(path: string, done: Done): void {
    assert(this.#closing === null, "replace after close");
    const state = this.#disk.prepared(path);
    if (state === null) {
      this.#later(() => done(new Error(`${path}: there is no prepared environment`)));
      return;
    }
    if (this.#error === null) this.#disk.begin(state);
    this.#pending.push({ state, done });
    if (this.#pending.length === 1) this.#schedule();
  }

  close(done: Done): void {
    assert(this.#closing === null, "closed twice");
    this.#closing = done;
    if (this.#pending.length === 0) this.#later(() => this.#end());
  }

  #later(run: () => void): void {
    const { clock, random, commitDelayMsMax = defaultCommitDelayMsMax } = this.#options;
    clock.after(random.below(commitDelayMsMax * 1000 + 1) / 1000, () => {
      if (!this.#isDead) run();
    });
  }

  #schedule(): void {
    this.#later(() => {
      this.#error ??= this.#disk.finish();
      const commit = this.#pending.shift();
      assert(commit !== undefined, "no commit pending");
      if (this.#pending.length > 0) this.#schedule();
      else if (this.#closing !== null) this.#later(() => this.#end());
      commit.done(this.#error);
    });
  }

  #end(): void {
    this.#isDead = true;
    this.#disk.ended();
    this.#closing?.(this.#error);
  }
}

class SimView implements View {
  readonly consistentIndex: number;
  readonly #state: State;
  /** What a visitor holds: spoiled by the next read, as the contract allows. */
  #lent: readonly Uint8Array[] = [];
  #isOpen = true;

  constructor(state: State) {
    this.#state = state;
    const row = this.get("meta", keyConsistentIndex);
    this.consistentIndex =
      row === null ? 0 : Number(new DataView(row.buffer, row.byteOffset).getBigUint64(0));
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | null {
    assert(this.#isOpen, "read of a closed view");
    this.#takeBack();
    return getRow(this.#state.rows[bucket], key)?.slice() ?? null;
  }

  range(
    bucket: Bucket,
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    assert(this.#isOpen, "read of a closed view");
    visitRows(this.#state.rows[bucket], from, to, (key, value) => {
      const lent = [key.slice(), value.slice()] as const;
      this.#lent = lent;
      const goesOn = visit(lent[0], lent[1]);
      this.#takeBack();
      return goesOn;
    });
  }

  #takeBack(): void {
    for (const bytes of this.#lent) bytes.fill(0xee);
    this.#lent = [];
  }

  close(): void {
    assert(this.#isOpen, "view closed twice");
    this.#isOpen = false;
  }
}

function stateOf(loaded: readonly LoadedRow[]): State {
  const rows = { ...emptyState.rows };
  let bytes = 0;
  for (const { bucket, key, value } of loaded) {
    rows[bucket] = putRow(rows[bucket], key, value);
    bytes += key.length + value.length + rowCostBytes;
  }
  return { rows, bytes };
}

function apply(state: State, batch: Batch): State {
  const rows = { ...state.rows };
  let { bytes } = state;
  for (let i = 0; i < batch.size; i++) {
    const bucket = batch.buckets[i]!;
    const key = batch.keys[i]!;
    const value = batch.values[i]!;
    const before = getRow(rows[bucket], key);
    if (before !== null) bytes -= key.length + before.length + rowCostBytes;
    if (value === null) rows[bucket] = deleteRow(rows[bucket], key);
    else {
      bytes += key.length + value.length + rowCostBytes;
      rows[bucket] = putRow(rows[bucket], key, value);
    }
  }
  return { rows, bytes };
}
