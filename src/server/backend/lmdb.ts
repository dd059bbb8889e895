import { assert, must } from "../../base/assert.ts";
import type { Done, Turn } from "../../base/ports.ts";
import { workerEntry } from "../../base/worker-entry.ts";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Backend, BackendSize, Batch, View } from "./backend.ts";
import { ChunkWriter, newChunkBuffer } from "./lmdb-chunk.ts";
import type { Chunk } from "./lmdb-chunk.ts";
import { openEnv, sizeOf } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { syncDirectory } from "./lmdb-file.ts";
import type { ImageExport, ImageImport } from "./image.ts";
import { LmdbImageExport, LmdbImageImport } from "./lmdb-image.ts";
import { databaseName, lmdbLimits } from "./lmdb-limits.ts";
import type { FromWriter, SwapKind, ToWriter, WriterStart } from "./lmdb-messages.ts";
import { LmdbView } from "./lmdb-view.ts";

/**
 * The backend on LMDB. This thread reads; a thread of ours writes (lmdb-writer.ts). Rows are packed
 * into chunks here, at most one chunk per turn, and handed over without copying.
 *
 * LB1  Batches are packed, handed over, committed and reported in the order given.
 * LB2  A view opened after `done` of a batch shows it: views take the newest durable state, not the
 *      library's shared read transaction of the turn.
 * LB3  An environment is closed after its last view; views of the one before a swap stay valid.
 */
export interface LmdbOptions {
  /** Existing directory that belongs to the backend alone. */
  readonly directory: string;
  readonly turn: Turn;
}

interface Commit {
  readonly batch: Batch;
  readonly done: Done;
}

/** An environment as this thread holds it. */
interface Held {
  readonly env: LmdbEnv;
  /** The swap that will replace it, or did. */
  readonly swap: number;
  views: number;
}

const copyPrefix = "defragment-";

/**
 * Opens or creates the database. Throws when it cannot: damaged, foreign, not writable. Blocks for
 * a few milliseconds; the writer thread starts meanwhile and commits wait for it.
 */
export function openLmdbBackend(options: LmdbOptions): Backend {
  const { directory } = options;
  const path = join(directory, databaseName);
  try {
    // What a defragment left that did not reach its end.
    for (const name of readdirSync(directory)) {
      if (name.startsWith(copyPrefix)) rmSync(join(directory, name));
    }
    const isNew = !existsSync(path);
    const env = openEnv(path);
    // LMDB flushes what is in the file, never that there is one.
    if (isNew) syncDirectory(directory);
    return new LmdbBackend(env, path, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot open the backend ${path}: ${reason}; wanted an LMDB database of this server in a ` +
        `directory it may write to`,
      { cause: error },
    );
  }
}

class LmdbBackend implements Backend {
  readonly #directory: string;
  readonly #path: string;
  readonly #turn: Turn;
  readonly #worker: Worker;
  #held: Held;
  /** The copy a defragment made, opened but not yet the database. */
  #copy: Held | null = null;
  #size: BackendSize;
  readonly #spare: ArrayBuffer[] = [];
  /** Not yet handed over. The first one may be packed in part. */
  readonly #packing: Commit[] = [];
  #rowsPacked = 0;
  #chunks: Chunk[] = [];
  #packScheduled = false;
  readonly #packed: (() => void)[] = [];
  /** Handed over, not yet reported. */
  readonly #committing: Commit[] = [];
  #defragmentWaiters: Done[] = [];
  #defragments = 0;
  readonly #replaceWaiters: Done[] = [];
  readonly #exports = new Set<LmdbImageExport>();
  #error: Error | null = null;
  #closing: Done | null = null;
  #exportsEnded: (() => void) | null = null;

  constructor(env: LmdbEnv, path: string, options: LmdbOptions) {
    this.#directory = options.directory;
    this.#path = path;
    this.#turn = options.turn;
    this.#held = { env, swap: 1, views: 0 };
    this.#size = sizeOf(env);
    const start: WriterStart = { path };
    this.#worker = new Worker(workerEntry(import.meta.url, "lmdb-writer"), {
      workerData: start,
      // What it makes is dead at once; large young spaces are for the thread of the clients.
      resourceLimits: { maxYoungGenerationSizeMb: lmdbLimits.writerYoungMiB },
    });
    this.#worker.on("message", (message: FromWriter) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(String(error)));
    this.#worker.on("exit", () => this.#exited());
  }

  commit(batch: Batch, done: Done): void {
    assert(this.#closing === null, "commit after close");
    assert(this.#replaceWaiters.length === 0, "commit before the backend is replaced");
    this.#packing.push({ batch, done });
    this.#schedulePack();
  }

  view(): View {
    assert(this.#closing === null, "view after close");
    const held = this.#held;
    held.views++;
    return new LmdbView(held.env, () => {
      held.views--;
      if (held !== this.#held && held.views === 0) this.#release(held);
    });
  }

  size(): BackendSize {
    return this.#size;
  }

  defragment(done: Done): void {
    assert(this.#closing === null, "defragment after close");
    const error = this.#error;
    if (error !== null) {
      this.#turn.next(() => done(error));
      return;
    }
    this.#defragmentWaiters.push(done);
    if (this.#defragmentWaiters.length > 1) return;
    this.#defragments++;
    const copyPath = join(this.#directory, `${copyPrefix}${this.#defragments}.mdb`);
    this.#post({ kind: "defragment", copyPath });
  }

  replace(path: string, done: Done): void {
    assert(this.#closing === null, "replace after close");
    const error = this.#error;
    if (error !== null) {
      this.#turn.next(() => done(error));
      return;
    }
    this.#replaceWaiters.push(done);
    this.#whenPacked(() => this.#post({ kind: "replace", copyPath: path }));
  }

  exportImage(done: Done<ImageExport>): void {
    assert(this.#closing === null, "export after close");
    const made: LmdbImageExport = new LmdbImageExport(this.#path, done, () => {
      this.#exports.delete(made);
      if (this.#exports.size === 0) this.#exportsEnded?.();
    });
    this.#exports.add(made);
  }

  importImage(path: string): ImageImport {
    assert(this.#closing === null, "import after close");
    return new LmdbImageImport(path, this.#turn);
  }

  close(done: Done): void {
    assert(this.#closing === null, "closed twice");
    this.#closing = done;
    for (const made of this.#exports) made.close();
    if (this.#error !== null) this.#turn.next(() => this.#closed());
    else this.#whenPacked(() => this.#post({ kind: "close" }));
  }

  /** Behind all commits given so far (LB1). */
  #whenPacked(run: () => void): void {
    if (this.#packing.length === 0) run();
    else this.#packed.push(run);
  }

  #post(message: ToWriter, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #schedulePack(): void {
    if (this.#packScheduled) return;
    this.#packScheduled = true;
    this.#turn.next(() => {
      this.#packScheduled = false;
      this.#pack();
    });
  }

  /** Fills one chunk, or finishes a batch (LB1). */
  #pack(): void {
    const commit = this.#packing[0];
    if (commit === undefined) return;
    if (this.#error !== null) {
      this.#failAll();
      return;
    }
    const { batch } = commit;
    const first = Math.min(this.#rowsPacked, batch.size - 1);
    const firstBytes =
      batch.size === 0 ? 0 : ChunkWriter.rowBytes(batch.keys[first]!, batch.values[first]!);
    const isBig = firstBytes > lmdbLimits.chunkBytes;
    const spare = isBig ? undefined : this.#spare.pop();
    const writer = new ChunkWriter(spare ?? newChunkBuffer(firstBytes));
    while (this.#rowsPacked < batch.size) {
      const key = batch.keys[this.#rowsPacked]!;
      const value = batch.values[this.#rowsPacked]!;
      checkRow(key, value);
      if (ChunkWriter.rowBytes(key, value) > writer.free) break;
      writer.add(batch.buckets[this.#rowsPacked]!, key, value);
      this.#rowsPacked++;
    }
    this.#chunks.push(writer.chunk());
    if (this.#rowsPacked === batch.size) this.#handOver(commit);
    if (this.#packing.length > 0) this.#schedulePack();
    else for (const run of this.#packed.splice(0)) run();
  }

  #handOver(commit: Commit): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#rowsPacked = 0;
    this.#packing.shift();
    this.#committing.push(commit);
    this.#post(
      { kind: "commit", chunks },
      chunks.map((chunk) => chunk.buffer),
    );
  }

  #receive(message: FromWriter): void {
    switch (message.kind) {
      case "committed":
        this.#committed(message.chunks, message.size);
        break;
      case "failed":
        this.#fail(message.error);
        break;
      case "ready":
        this.#turn.atEnd(() => this.#openCopy(message.copyPath));
        break;
      case "swapped":
        this.#swapped(message.swap, message.size);
        break;
      case "swapFailed":
        if (this.#copy !== null) void this.#copy.env.root.close();
        this.#copy = null;
        this.#swapEnded(
          message.swap,
          new Error(`Cannot ${message.swap} the backend: ${message.error}`),
        );
        break;
      case "closed":
        this.#closed();
    }
  }

  #committed(chunks: readonly Chunk[], size: BackendSize): void {
    for (const { buffer } of chunks) {
      const isSpare = buffer.byteLength === lmdbLimits.chunkBytes;
      if (isSpare && this.#spare.length < lmdbLimits.spareChunksMax) this.#spare.push(buffer);
    }
    this.#size = size;
    must(this.#committing.shift()).done(null);
  }

  /** The copy equals the database and nothing is committed until the answer. */
  #openCopy(copyPath: string): void {
    let error: string | null = null;
    try {
      this.#copy = { env: openEnv(copyPath), swap: this.#held.swap + 1, views: 0 };
    } catch (cause) {
      error = String(cause);
    }
    this.#post({ kind: "opened", error });
  }

  #swapped(swap: SwapKind, size: BackendSize): void {
    const before = this.#held;
    this.#held = must(this.#copy);
    this.#copy = null;
    this.#size = size;
    if (before.views === 0) this.#release(before);
    this.#swapEnded(swap, null);
  }

  /** Lets go of a replaced environment first, so that unmapping it falls to the writer (LB3). */
  #release(held: Held): void {
    void held.env.root.close();
    this.#post({ kind: "released", swap: held.swap });
  }

  #swapEnded(swap: SwapKind, error: Error | null): void {
    if (swap === "defragment") this.#defragmented(error);
    else must(this.#replaceWaiters.shift())(error);
  }

  #defragmented(error: Error | null): void {
    const waiters = this.#defragmentWaiters;
    this.#defragmentWaiters = [];
    for (const done of waiters) done(error);
  }

  #fail(reason: string): void {
    if (this.#error !== null) return;
    this.#error = new Error(`The backend cannot commit any more: ${reason}`);
    void this.#worker.terminate();
    const wasClosing = this.#closing !== null;
    this.#failAll();
    if (wasClosing) this.#closed();
  }

  /** BK4: everything that waits fails, and so does all that comes. */
  #failAll(): void {
    const error = must(this.#error);
    const commits = [...this.#committing.splice(0), ...this.#packing.splice(0)];
    for (const { done } of commits) done(error);
    this.#defragmented(error);
    for (const done of this.#replaceWaiters.splice(0)) done(error);
  }

  #closed(): void {
    const done = must(this.#closing);
    // A view left open would read from memory that is gone; its environment ends with the process.
    const end = this.#held.views === 0 ? this.#held.env.root.close() : Promise.resolve();
    const exportsEnd = new Promise<void>((resolve) => {
      if (this.#exports.size === 0) resolve();
      else this.#exportsEnded = resolve;
    });
    void Promise.all([end, exportsEnd]).then(() => done(this.#error));
  }

  #exited(): void {
    if (this.#closing !== null) return;
    this.#fail("the writer thread has ended");
  }
}

function checkRow(key: Uint8Array, value: Uint8Array | null): void {
  assert(
    key.length > 0 && key.length <= lmdbLimits.keyBytesMax,
    () => `row key of ${key.length} bytes, wanted 1 to ${lmdbLimits.keyBytesMax}`,
  );
  assert((value?.length ?? 0) <= lmdbLimits.valueBytesMax, "row value too long");
}
