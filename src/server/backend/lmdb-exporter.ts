import { must } from "../../base/assert.ts";
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
import { parentPort, workerData } from "node:worker_threads";
import { ImageBuilder } from "./image-builder.ts";
import { openLive } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { lowerThreadPriority } from "./lmdb-file.ts";
import type { FromExporter, ImageWorkerStart, ToExporter } from "./lmdb-image-messages.ts";
import { lmdbLimits } from "./lmdb-limits.ts";
import { LmdbView } from "./lmdb-view.ts";

/**
 * Entry of the thread that makes a database file of one view of the database.
 *
 * LX1  The view is opened before anything is read and closed before the thread ends.
 * LX2  A piece is made only when it was asked for.
 */
class Exporter {
  readonly #env: LmdbEnv;
  readonly #view: LmdbView;
  readonly #builder: ImageBuilder;
  readonly #post: (message: FromExporter, transfer?: ArrayBuffer[]) => void;
  readonly #hash = createHash("sha256");
  #sha256: Uint8Array | null = null;
  #isClosed = false;

  constructor(path: string, post: (message: FromExporter, transfer?: ArrayBuffer[]) => void) {
    this.#post = post;
    this.#env = openLive(path);
    this.#view = new LmdbView(this.#env, () => {}); // LX1
    this.#builder = new ImageBuilder(this.#view);
  }

  /** Counts in steps, between which a "close" is heard. */
  plan(): void {
    if (this.#isClosed) return;
    this.#guard(() => {
      if (!this.#builder.plan(lmdbLimits.exportStepRows)) {
        setImmediate(() => this.plan());
        return;
      }
      const { head, sizeBytes } = this.#builder;
      this.#post({ kind: "opened", head, sizeBytes });
    });
  }

  read(): void {
    this.#guard(() => {
      const piece = this.#builder.next();
      if (piece === null) {
        this.#sha256 ??= new Uint8Array(this.#hash.digest());
        this.#post({ kind: "end", sha256: this.#sha256 });
        return;
      }
      this.#hash.update(piece);
      this.#post({ kind: "piece", piece }, [piece.buffer]);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#view.close();
    void this.#env.root.close();
    parentPort?.close();
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#post({ kind: "failed", error: String(error) });
    }
  }
}

lowerThreadPriority(lmdbLimits.imageNice);
const port = must(parentPort);
const { path } = workerData as ImageWorkerStart;
const exporter = new Exporter(path, (message, transfer) =>
  port.postMessage(message, transfer ?? []),
);
port.on("message", (message: ToExporter) => {
  if (message.kind === "close") exporter.close();
  else exporter.read();
});
exporter.plan();
