import { must } from "../../base/assert.ts";
import { parentPort, workerData } from "node:worker_threads";
import { buckets } from "./backend.ts";
import { readChunk } from "./lmdb-chunk.ts";
import type { Chunk } from "./lmdb-chunk.ts";
import { Defragmentation } from "./lmdb-defragment.ts";
import { openEnv, sizeOf } from "./lmdb-env.ts";
import type { LmdbBucket, LmdbEnv } from "./lmdb-env.ts";
import type { FromWriter, SwapKind, ToWriter, WriterStart } from "./lmdb-messages.ts";
import { Replacement } from "./lmdb-replacement.ts";

type Post = (message: FromWriter, transfer?: ArrayBuffer[]) => void;

/**
 * Entry of the writer thread: the only one that writes to the database.
 *
 * LW1  Messages are handled in order; a commit is reported when it is flushed, before the next one
 *      is begun.
 * LW2  After a failed commit nothing is written any more.
 * LW3  While the owner opens the copy that defragment made (from "ready" to "opened"), nothing is
 *      committed: copy and database hold the same rows.
 * LW4  One swap is under way at a time, in the order asked for; a replacement ends a defragment
 *      that is before it, whose copy nobody would use.
 */
class Writer {
  readonly #path: string;
  readonly #post: Post;
  #env: LmdbEnv;
  /** Environments replaced, by number of the swap, until the owner has let go of them. */
  readonly #replaced = new Map<number, LmdbEnv>();
  #swapCount = 0;
  /** The swap under way. */
  #swap: Defragmentation | Replacement | null = null;
  #swapKind: SwapKind = "defragment";
  readonly #swapsWaiting: { readonly kind: SwapKind; readonly copyPath: string }[] = [];
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
    if (waits && this.#swap?.isHolding === true) {
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
      case "replace":
        this.#swapsWaiting.push(message);
        if (this.#swap === null) this.#startSwap();
        else if (message.kind === "replace") this.#swap.cancel(); // LW4
        break;
      case "opened":
        this.#install(message.error);
        break;
      case "released":
        void must(this.#replaced.get(message.swap)).root.close();
        this.#replaced.delete(message.swap);
        break;
      case "close":
        this.#closing = true;
        if (this.#swap === null) this.#close();
        else this.#swap.cancel();
    }
  }

  #commit(chunks: readonly Chunk[]): void {
    try {
      applyRows(this.#env, chunks);
      this.#swap?.record(chunks);
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

  #startSwap(): void {
    const next = this.#swapsWaiting.shift();
    if (next === undefined) return;
    const { kind, copyPath } = next;
    this.#swapKind = kind;
    const ready = (): void => this.#post({ kind: "ready", copyPath });
    const ended = (error: string): void => {
      this.#swap = null;
      this.#post({ kind: "swapFailed", swap: kind, error });
      this.#resume();
    };
    if (kind === "replace") {
      this.#swap = new Replacement(copyPath, { ready, ended });
      this.#swap.begin();
      return;
    }
    const { root } = this.#env;
    this.#swap = new Defragmentation(copyPath, {
      source: () => this.#env,
      copy: (path) => root.backup(path, true),
      apply: applyRows,
      ...{ ready, ended },
    });
  }

  #install(openError: string | null): void {
    const swap = must(this.#swap);
    if (openError !== null) {
      swap.abandon(openError);
      return;
    }
    try {
      const next = swap.install(this.#path);
      if (next === null) return;
      this.#swapCount++;
      this.#replaced.set(this.#swapCount, this.#env);
      this.#env = next;
    } catch (error) {
      // Renamed, yet not known to stay so: as with any failed sync, nothing may build on it.
      this.#fail(error);
      return;
    }
    this.#swap = null;
    this.#post({ kind: "swapped", swap: this.#swapKind, size: sizeOf(this.#env) });
    this.#resume();
  }

  #resume(): void {
    if (!this.#closing) this.#startSwap();
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.receive(message);
    if (this.#closing && this.#swap === null) this.#close();
  }

  #close(): void {
    if (this.#failed) return;
    this.#failed = true;
    const error = "the backend is closing";
    for (const { kind } of this.#swapsWaiting)
      this.#post({ kind: "swapFailed", swap: kind, error });
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
