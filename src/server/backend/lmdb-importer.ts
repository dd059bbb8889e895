import { must } from "../../base/assert.ts";
import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { PageSource } from "../../bbolt/reader.ts";
import type { Bucket } from "./backend.ts";
import { loadImage } from "./image-loader.ts";
import type { ImageHead } from "./image.ts";
import { openEnv } from "./lmdb-env.ts";
import type { LmdbEnv } from "./lmdb-env.ts";
import { lowerThreadPriority, syncDirectory } from "./lmdb-file.ts";
import type { FromImporter, ImageWorkerStart, ToImporter } from "./lmdb-image-messages.ts";
import { lmdbLimits } from "./lmdb-limits.ts";
import { leftovers } from "./lmdb-prepared.ts";

/**
 * Entry of the thread that takes a database file in and loads it into an environment of its own.
 *
 * LI1  The environment gets its final name when it is whole, closed and flushed (IF2); what was
 *      begun under other names is removed when the thread gives up, or at the next start.
 */
class Importer {
  readonly #path: string;
  readonly #names: ReturnType<typeof leftovers>;
  readonly #file: number;
  #length = 0;

  constructor(path: string) {
    this.#path = path;
    this.#names = leftovers(path);
    this.#removeFiles();
    this.#file = openSync(this.#names.received, "wx+", 0o600);
  }

  write(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      at += writeSync(this.#file, piece, at, piece.length - at, this.#length + at);
    }
    this.#length += piece.length;
  }

  async end(): Promise<ImageHead> {
    const loader = new BulkLoader(this.#names.loading);
    let head: ImageHead;
    try {
      const source = new WindowSource(this.#file);
      head = loadImage(source, lmdbLimits.keyBytesMax, (bucket, key, value) =>
        loader.add(bucket, key, value),
      );
      loader.flush();
    } finally {
      await loader.close();
    }
    this.#publish();
    return head;
  }

  /** LI1. */
  #publish(): void {
    const { loading } = this.#names;
    chmodSync(loading, 0o600);
    const file = openSync(loading, "r+");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(loading, this.#path);
    syncDirectory(dirname(this.#path));
    this.abort();
  }

  abort(): void {
    closeSync(this.#file);
    this.#removeFiles();
  }

  #removeFiles(): void {
    for (const name of this.#names.all) rmSync(name, { force: true });
  }
}

/** Rows in the order of their keys, in durable transactions of bounded size. */
class BulkLoader {
  readonly #env: LmdbEnv;
  #rows: { bucket: Bucket; key: Uint8Array; value: Uint8Array }[] = [];
  #bytes = 0;

  constructor(path: string) {
    this.#env = openEnv(path);
  }

  add(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#rows.push({ bucket, key, value });
    this.#bytes += key.length + value.length;
    if (this.#bytes >= lmdbLimits.loadStepBytes) this.flush();
  }

  flush(): void {
    const { root, databases } = this.#env;
    root.transactionSync(() => {
      // Behind the last row of the database: pages are filled one after the other.
      for (const { bucket, key, value } of this.#rows) {
        databases[bucket].putSync(key, value, { append: true });
      }
    });
    this.#rows = [];
    this.#bytes = 0;
  }

  close(): Promise<void> {
    return this.#env.root.close();
  }
}

/** The received file, read in windows: pages of a tree mostly follow each other. */
class WindowSource implements PageSource {
  readonly #file: number;
  readonly sizeBytes: number;
  readonly #window = new Uint8Array(lmdbLimits.readWindowBytes);
  #at = 0;
  #length = 0;

  constructor(file: number) {
    this.#file = file;
    this.sizeBytes = fstatSync(file).size;
  }

  read(at: number, length: number): Uint8Array {
    if (length > this.#window.length) {
      const bytes = new Uint8Array(length);
      this.#fill(bytes, at);
      return bytes;
    }
    if (at < this.#at || at + length > this.#at + this.#length) {
      this.#at = at;
      this.#length = Math.min(this.#window.length, this.sizeBytes - at);
      this.#fill(this.#window.subarray(0, this.#length), at);
    }
    return this.#window.subarray(at - this.#at, at - this.#at + length);
  }

  #fill(target: Uint8Array, at: number): void {
    for (let got = 0; got < target.length;) {
      const n = readSync(this.#file, target, got, target.length - got, at + got);
      if (n === 0) throw new Error("the received file has become shorter");
      got += n;
    }
  }
}

lowerThreadPriority();
const port = must(parentPort);
const post = (message: FromImporter): void => port.postMessage(message);
const importer = new Importer((workerData as ImageWorkerStart).path);
let isEnded = false;

function end(run: () => void): void {
  if (isEnded) return;
  isEnded = true;
  run();
  port.close();
}

function fail(error: unknown): void {
  end(() => {
    importer.abort();
    post({ kind: "failed", error: error instanceof Error ? error.message : String(error) });
  });
}

port.on("message", (message: ToImporter) => {
  if (isEnded) return;
  try {
    if (message.kind === "piece") {
      importer.write(message.piece);
      post({ kind: "written" });
    } else if (message.kind === "abort") {
      end(() => importer.abort());
    } else {
      importer.end().then((head) => end(() => post({ kind: "prepared", head })), fail);
    }
  } catch (error) {
    fail(error);
  }
});
