import { assert } from "../../base/assert.ts";
import {
  chmodSync,
  closeSync,
  fsync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers";
import type { Chunk } from "./lmdb-chunk.ts";
import { openEnv, rowCounts } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { syncDirectory } from "./lmdb-file.ts";
import { lmdbLimits } from "./lmdb-limits.ts";

interface DefragmentationDeps {
  readonly source: () => LmdbEnv;
  /** Writes a compacted copy of the newest state, off this thread. */
  readonly copy: (path: string) => Promise<void>;
  /** Writes all rows in one durable transaction. */
  readonly apply: (env: LmdbEnv, chunks: readonly Chunk[]) => void;
  /** The copy is complete; the owner shall open it. */
  readonly ready: () => void;
  /** Given up; the copy is gone and the database as it was. */
  readonly ended: (error: string) => void;
}

/**
 * Makes a compact copy of the database beside it and puts it in its place, on the writer thread.
 *
 * LD1  The copy is taken after this object exists, so it holds every commit before; every commit
 *      after is recorded, in order, and written to the copy again. Rows are absolute, so writing
 *      some of them twice ends in the same state.
 * LD2  Until the rename the database at its path is whole and current; the rename puts a whole,
 *      current and flushed one there.
 * LD3  Recorded commits wait in a file, not in memory, however long the copy takes.
 */
export class Defragmentation {
  readonly #deps: DefragmentationDeps;
  readonly #copyPath: string;
  readonly #recordPath: string;
  readonly #record: number;
  /** Lengths of the recorded chunks, and how many of them are in the copy already. */
  readonly #lengths: number[] = [];
  #replayed = 0;
  #recordEnd = 0;
  #recordAt = 0;
  #copy: LmdbEnv | null = null;
  /** Why it must end, decided while a step was under way. */
  #stop: string | null = null;
  #holding = false;

  constructor(copyPath: string, deps: DefragmentationDeps) {
    this.#deps = deps;
    this.#copyPath = copyPath;
    this.#recordPath = `${copyPath}-record`;
    this.#record = openSync(this.#recordPath, "wx+", 0o600);
    deps.copy(copyPath).then(
      () => this.#guard(() => this.#flushCopy()),
      (error: unknown) => this.abandon(String(error)),
    );
  }

  /** The copy holds every commit; there must be none until the swap. */
  get isHolding(): boolean {
    return this.#holding;
  }

  /** A commit that is durable in the database (LD1). */
  record(chunks: readonly Chunk[]): void {
    if (this.#stop !== null) return;
    try {
      for (const { buffer, length } of chunks) {
        const bytes = new Uint8Array(buffer, 0, length);
        for (let at = 0; at < length;) {
          at += writeSync(this.#record, bytes, at, length - at, this.#recordEnd + at);
        }
        this.#lengths.push(length);
        this.#recordEnd += length;
      }
    } catch (error) {
      this.#stop = String(error);
    }
  }

  /** Ends it at the next step: a copy under way cannot be interrupted. */
  cancel(): void {
    this.#stop ??= "the backend is closing";
  }

  /** Ends it now. */
  abandon(reason: string): void {
    this.#holding = false;
    this.#removeFiles();
    this.#deps.ended(reason);
  }

  /** Puts the copy in the place of `path` (LD2); null if the rename failed and it was given up. */
  install(path: string): LmdbEnv | null {
    const copy = this.#copy;
    assert(copy !== null && this.#holding, "no copy to install");
    try {
      renameSync(this.#copyPath, path);
    } catch (error) {
      this.abandon(String(error));
      return null;
    }
    // The lock file belongs to its environment; LMDB finds it by the database's name.
    renameSync(`${this.#copyPath}-lock`, `${path}-lock`);
    syncDirectory(dirname(path));
    this.#copy = null;
    this.#removeFiles();
    return copy;
  }

  #flushCopy(): void {
    if (this.#stop !== null) {
      this.abandon(this.#stop);
      return;
    }
    // Flushed here, off this thread, so that the first commit into it need not do it.
    const file = openSync(this.#copyPath, "r+");
    chmodSync(this.#copyPath, 0o600);
    fsync(file, (error) => {
      closeSync(file);
      if (error !== null) {
        this.abandon(String(error));
        return;
      }
      this.#guard(() => {
        this.#copy = openEnv(this.#copyPath);
        this.#step();
      });
    });
  }

  /** Runs a step; whatever goes wrong with the copy ends it and leaves the database alone. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.abandon(String(error));
    }
  }

  /** Between steps commits come in: each is followed by a step that takes more than one of them. */
  #step(): void {
    if (this.#stop !== null) {
      this.abandon(this.#stop);
      return;
    }
    const copy = this.#copy;
    assert(copy !== null, "no copy to write to");
    this.#replay(copy);
    if (this.#replayed < this.#lengths.length) {
      setImmediate(() => this.#guard(() => this.#step()));
      return;
    }
    this.#verify(copy);
    this.#holding = true;
    this.#deps.ready();
  }

  #replay(copy: LmdbEnv): void {
    const chunks: Chunk[] = [];
    let total = 0;
    while (this.#replayed < this.#lengths.length && total < lmdbLimits.replayStepBytes) {
      const length = this.#lengths[this.#replayed]!;
      chunks.push({ buffer: this.#readRecord(length), length });
      this.#replayed++;
      total += length;
    }
    if (chunks.length > 0) this.#deps.apply(copy, chunks);
  }

  #readRecord(length: number): ArrayBuffer {
    const bytes = new Uint8Array(length);
    let got = 0;
    while (got < length) {
      const n = readSync(this.#record, bytes, got, length - got, this.#recordAt + got);
      assert(n > 0, "the record of commits is shorter than written");
      got += n;
    }
    this.#recordAt += length;
    return bytes.buffer;
  }

  #verify(copy: LmdbEnv): void {
    const wanted = rowCounts(this.#deps.source()).join(" ");
    const got = rowCounts(copy).join(" ");
    if (got !== wanted) throw new Error(`the copy has ${got} rows per bucket, wanted ${wanted}`);
  }

  #removeFiles(): void {
    closeSync(this.#record);
    const copy = this.#copy;
    this.#copy = null;
    if (copy !== null) void copy.root.close();
    for (const path of [this.#recordPath, this.#copyPath, `${this.#copyPath}-lock`]) {
      rmSync(path, { force: true });
    }
  }
}
