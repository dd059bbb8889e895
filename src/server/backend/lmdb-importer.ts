import { must } from "../../base/assert.ts";
import { emptyBytes } from "../../base/bytes.ts";
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

/** Rows in the order of their keys, in transactions of bounded size that nobody flushes. */
class BulkLoader {
  readonly #env: LmdbEnv;
  readonly #buckets: Bucket[] = [];
  readonly #keys: Uint8Array[] = [];
  readonly #values: Uint8Array[] = [];
  #bytes = 0;

  constructor(path: string) {
    this.#env = openEnv(path, false);
  }

  add(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#buckets.push(bucket);
    this.#keys.push(key);
    this.#values.push(value);
    this.#bytes += key.length + value.length;
    if (this.#bytes >= lmdbLimits.loadStepBytes) this.flush();
  }

  flush(): void {
    const { root, databases } = this.#env;
    root.transactionSync(() => {
      for (let i = 0; i < this.#keys.length; i++) {
        // Behind the last row of the database: pages are filled one after the other.
        databases[this.#buckets[i]!].putSync(this.#keys[i]!, this.#values[i]!, appended);
      }
    });
    this.#buckets.length = 0;
    this.#keys.length = 0;
    this.#values.length = 0;
    this.#bytes = 0;
  }

  close(): Promise<void> {
    return this.#env.root.close();
  }
}

const appended = { append: true };

interface Window {
  readonly at: number;
  readonly bytes: Uint8Array;
}

const noWindow: Window = { at: 0, bytes: emptyBytes };

/**
 * The received file, read in windows: one that goes forward, as leaf pages mostly follow each
 * other, and a smaller one for what lies elsewhere. A window is never filled again.
 */
class WindowSource implements PageSource {
  readonly #file: number;
  readonly sizeBytes: number;
  #ahead = noWindow;
  #aside = noWindow;

  constructor(file: number) {
    this.#file = file;
    this.sizeBytes = fstatSync(file).size;
  }

  read(at: number, length: number): Uint8Array {
    return (
      partOf(this.#ahead, at, length) ??
      partOf(this.#aside, at, length) ??
      this.#advance(at, length)
    );
  }

  #advance(at: number, length: number): Uint8Array {
    const { readAheadBytes, readAsideBytes } = lmdbLimits;
    const { at: begin, bytes } = this.#ahead;
    const isForward = at >= begin && at <= begin + bytes.length + readAheadBytes;
    const window = this.#read(at, Math.max(length, isForward ? readAheadBytes : readAsideBytes));
    if (isForward) this.#ahead = window;
    else this.#aside = window;
    return window.bytes.subarray(0, length);
  }

  #read(at: number, wanted: number): Window {
    const bytes = new Uint8Array(Math.min(wanted, this.sizeBytes - at));
    for (let got = 0; got < bytes.length;) {
      const n = readSync(this.#file, bytes, got, bytes.length - got, at + got);
      if (n === 0) throw new Error("the received file has become shorter");
      got += n;
    }
    return { at, bytes };
  }
}

function partOf({ at, bytes }: Window, from: number, length: number): Uint8Array | null {
  if (from < at || from + length > at + bytes.length) return null;
  return bytes.subarray(from - at, from - at + length);
}

lowerThreadPriority(lmdbLimits.imageNice);
const port = must(parentPort);
const post = (message: FromImporter, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);
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
      importer.write(new Uint8Array(message.block, 0, message.length));
      post({ kind: "written", block: message.block }, [message.block]);
    } else if (message.kind === "abort") {
      end(() => importer.abort());
    } else {
      importer.end().then((head) => end(() => post({ kind: "prepared", head })), fail);
    }
  } catch (error) {
    fail(error);
  }
});
