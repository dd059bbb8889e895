import { must } from "../../base/assert.ts";
import { parentPort, workerData } from "node:worker_threads";
import { buckets } from "./backend.ts";
import { readChunk } from "./lmdb-chunk.ts";
import type { Chunk } from "./lmdb-chunk.ts";
import { Defragmentation } from "./lmdb-defragment.ts";
import { openEnv, sizeOf } from "./lmdb-env.ts";
import type { LmdbBucket, LmdbEnv } from "./lmdb-env.ts";
import type { FromWriter, ToWriter, WriterStart } from "./lmdb-messages.ts";

type Post = (message: FromWriter, transfer?: ArrayBuffer[]) => void;

/**
 * Entry of the writer thread: the only one that writes to the database.
 *
 * LW1  Messages are handled in order; a commit is reported when it is flushed, before the next one
 *      is begun.
 * LW2  After a failed commit nothing is written any more.
 * LW3  While the owner opens the copy that defragment made (from "ready" to "opened"), nothing is
 *      committed: copy and database hold the same rows.
 */
class Writer {
  readonly #path: string;
  readonly #post: Post;
  #env: LmdbEnv;
  /** Environments replaced, by number of the swap, until the owner has let go of them. */
  readonly #replaced = new Map<number, LmdbEnv>();
  #swaps = 0;
  #defragmentation: Defragmentation | null = null;
  #failed = false;
  #closing = false;
  /** Messages that came while commits were held back (LW3). */
  #held: ToWriter[] = [];

  constructor(path: string, post: Post) {
    this.#path = path;
    this.#post = post;
    this.#env = openEnv(path);
  }

  receive(message: ToWriter): void {
    if (this.#failed) return;
    const waits = message.kind === "commit" || message.kind === "close";
    if (waits && this.#defragmentation?.isHolding === true) {
      this.#held.push(message);
      return;
    }
    this.#handle(message);
  }

  #handle(message: ToWriter): void {
    switch (message.kind) {
      case "commit":
        this.#commit(message.chunks);
        break;
      case "defragment":
        this.#defragment(message.copyPath);
        break;
      case "opened":
        this.#swap(message.error);
        break;
      case "released":
        void must(this.#replaced.get(message.swap)).root.close();
        this.#replaced.delete(message.swap);
        break;
      case "close":
        this.#closing = true;
        if (this.#defragmentation === null) this.#close();
        else this.#defragmentation.cancel();
    }
  }

  #commit(chunks: readonly Chunk[]): void {
    try {
      applyRows(this.#env, chunks);
      this.#defragmentation?.record(chunks);
      const size = sizeOf(this.#env);
      const transfer = chunks.map((chunk) => chunk.buffer);
      this.#post({ kind: "committed", chunks, size }, transfer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#post({ kind: "failed", error: String(error) });
  }

  #defragment(copyPath: string): void {
    const { root } = this.#env;
    this.#defragmentation = new Defragmentation(copyPath, {
      source: () => this.#env,
      copy: (path) => root.backup(path, true),
      apply: applyRows,
      ready: () => this.#post({ kind: "ready", copyPath }),
      ended: (error) => {
        this.#defragmentation = null;
        this.#post({ kind: "defragmentFailed", error });
        this.#resume();
      },
    });
  }

  #swap(openError: string | null): void {
    const defragmentation = must(this.#defragmentation);
    if (openError !== null) {
      defragmentation.abandon(openError);
      return;
    }
    try {
      const next = defragmentation.install(this.#path);
      if (next === null) return;
      this.#swaps++;
      this.#replaced.set(this.#swaps, this.#env);
      this.#env = next;
    } catch (error) {
      // Renamed, yet not known to stay so: as with any failed sync, nothing may build on it.
      this.#fail(error);
      return;
    }
    this.#defragmentation = null;
    this.#post({ kind: "swapped", size: sizeOf(this.#env) });
    this.#resume();
  }

  #resume(): void {
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.receive(message);
    if (this.#closing && this.#defragmentation === null) this.#close();
  }

  #close(): void {
    if (this.#failed) return;
    this.#failed = true;
    const ends = [this.#env, ...this.#replaced.values()].map((env) => env.root.close());
    void Promise.allSettled(ends).then(() => {
      this.#post({ kind: "closed" });
      parentPort?.close();
    });
  }
}

/** One durable transaction: flushed when this returns, absent when it throws. */
function applyRows(env: LmdbEnv, chunks: readonly Chunk[]): void {
  const databases: readonly LmdbBucket[] = buckets.map((name) => env.databases[name]);
  env.root.transactionSync(() => {
    for (const chunk of chunks) {
      readChunk(chunk, (bucket, key, value) => {
        const database = must(databases[bucket]);
        if (value === null) database.removeSync(key);
        else database.putSync(key, value);
      });
    }
  });
}

const port = must(parentPort);
const writer = new Writer((workerData as WriterStart).path, (message, transfer) =>
  port.postMessage(message, transfer ?? []),
);
port.on("message", (message: ToWriter) => writer.receive(message));
