import { assert, must } from "../../base/assert.ts";
import { emptyBytes } from "../../base/bytes.ts";
import type { Done, Turn } from "../../base/ports.ts";
import { workerEntry } from "../../base/worker-entry.ts";
import { Worker } from "node:worker_threads";
import type { ImageExport, ImageHead, ImageImport } from "./image.ts";
import type {
  FromExporter,
  FromImporter,
  ImageWorkerStart,
  ToExporter,
  ToImporter,
} from "./lmdb-image-messages.ts";
import { lmdbLimits } from "./lmdb-limits.ts";

function startWorker(name: string, path: string): Worker {
  const start: ImageWorkerStart = { path };
  return new Worker(workerEntry(import.meta.url, name), {
    workerData: start,
    resourceLimits: { maxYoungGenerationSizeMb: lmdbLimits.imageYoungMiB },
  });
}

/**
 * A thread that makes a database file; this is its owner. `opened` gets this object once, when its
 * head is known.
 */
export class LmdbImageExport implements ImageExport {
  readonly #worker: Worker;
  #opened: Done<ImageExport> | null;
  #head: ImageHead | null = null;
  #sizeBytes = 0;
  sha256: Uint8Array | null = null;
  /** Made and not yet taken; a null is the end. */
  readonly #ahead: (Uint8Array | null)[] = [];
  #reading: Done<Uint8Array | null> | null = null;
  #error: Error | null = null;
  #isClosed = false;
  readonly #ended: () => void;

  /** `ended` is called when the thread has let go of the database. */
  constructor(path: string, opened: Done<ImageExport>, ended: () => void) {
    this.#opened = opened;
    this.#ended = ended;
    this.#worker = startWorker("lmdb-exporter", path);
    this.#worker.on("message", (message: FromExporter) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(String(error)));
    this.#worker.on("exit", () => {
      this.#fail("its thread has ended");
      this.#ended();
    });
  }

  get head(): ImageHead {
    return must(this.#head);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(done: Done<Uint8Array | null>): void {
    assert(this.#reading === null && !this.#isClosed, "read of a database file out of turn");
    this.#reading = done;
    // Never before this call returned.
    if (this.#ahead.length > 0 || this.#error !== null) queueMicrotask(() => this.#give());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reading = null;
    this.#opened = null;
    this.#ahead.length = 0;
    this.#post({ kind: "close" });
  }

  #post(message: ToExporter): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromExporter): void {
    if (this.#isClosed) return;
    if (message.kind === "failed") {
      this.#fail(message.error);
    } else if (message.kind === "piece") {
      this.#ahead.push(message.piece);
      this.#give();
    } else if (message.kind === "end") {
      this.sha256 = message.sha256;
      this.#ahead.push(null);
      this.#give();
    } else {
      this.#head = message.head;
      this.#sizeBytes = message.sizeBytes;
      for (let i = 0; i < lmdbLimits.exportPiecesAhead; i++) this.#post({ kind: "read" });
      const opened = must(this.#opened);
      this.#opened = null;
      opened(null, this);
    }
  }

  #give(): void {
    const reading = this.#reading;
    if (reading === null) return;
    const piece = this.#ahead.shift();
    if (piece === undefined && this.#error === null) return;
    this.#reading = null;
    if (piece === undefined) {
      reading(this.#error, null);
      return;
    }
    if (piece !== null) this.#post({ kind: "read" });
    reading(null, piece);
  }

  #fail(reason: string): void {
    if (this.#isClosed || this.#error !== null) return;
    this.#error = new Error(`Cannot write out the backend: ${reason}`);
    const opened = this.#opened;
    this.#opened = null;
    this.#post({ kind: "close" });
    if (opened !== null) opened(this.#error, this);
    else this.#give();
  }
}

/**
 * A thread that takes a database file in; this is its owner.
 *
 * II1  Bytes are copied into blocks, which go to the thread when they are full and come back; there
 *      are never more than `importBlocksMax`. A write is done when all its bytes are in blocks, so
 *      that the thread writes one block while the next ones are filled.
 */
export class LmdbImageImport implements ImageImport {
  readonly #worker: Worker;
  readonly #turn: Turn;
  readonly #path: string;
  #block: Uint8Array<ArrayBuffer> | null = null;
  #blockUsed = 0;
  #blocksMade = 0;
  readonly #spare: ArrayBuffer[] = [];
  /** Of the write under way, not yet in a block. */
  #rest: Uint8Array = emptyBytes;
  #writing: Done | null = null;
  #ending: Done<ImageHead> | null = null;
  #error: Error | null = null;
  #isOver = false;

  constructor(path: string, turn: Turn) {
    this.#path = path;
    this.#turn = turn;
    this.#worker = startWorker("lmdb-importer", path);
    this.#worker.on("message", (message: FromImporter) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(String(error)));
    this.#worker.on("exit", () => this.#fail("its thread has ended"));
  }

  write(bytes: Uint8Array, done: Done): void {
    assert(this.#writing === null && this.#ending === null, "write out of turn");
    if (this.#refuse(done)) return;
    this.#writing = done;
    this.#rest = bytes;
    // Never before this call returned.
    queueMicrotask(() => this.#fill());
  }

  end(done: Done<ImageHead>): void {
    assert(this.#writing === null && this.#ending === null, "end out of turn");
    if (this.#refuse((error) => done(error, null as unknown as ImageHead))) return;
    this.#ending = done;
    if (this.#blockUsed > 0) this.#handOver();
    this.#post({ kind: "end" });
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#writing = null;
    this.#ending = null;
    this.#rest = emptyBytes;
    this.#post({ kind: "abort" });
  }

  #post(message: ToImporter, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #refuse(done: Done): boolean {
    assert(!this.#isOver, "the import is over");
    const error = this.#error;
    if (error !== null) this.#turn.next(() => done(error));
    return error !== null;
  }

  /** Goes on with the write under way, as far as there are blocks (II1). */
  #fill(): void {
    const writing = this.#writing;
    if (writing === null) return;
    while (this.#rest.length > 0) {
      const block = (this.#block ??= this.#takeBlock());
      if (block === null) return;
      const part = this.#rest.subarray(0, block.length - this.#blockUsed);
      block.set(part, this.#blockUsed);
      this.#blockUsed += part.length;
      this.#rest = this.#rest.subarray(part.length);
      if (this.#blockUsed === block.length) this.#handOver();
    }
    this.#writing = null;
    writing(null);
  }

  #takeBlock(): Uint8Array<ArrayBuffer> | null {
    const spare = this.#spare.pop();
    if (spare !== undefined) return new Uint8Array(spare);
    if (this.#blocksMade === lmdbLimits.importBlocksMax) return null;
    this.#blocksMade++;
    return new Uint8Array(lmdbLimits.importBlockBytes);
  }

  #handOver(): void {
    const block = must(this.#block).buffer;
    this.#post({ kind: "piece", block, length: this.#blockUsed }, [block]);
    this.#block = null;
    this.#blockUsed = 0;
  }

  #receive(message: FromImporter): void {
    if (this.#isOver) return;
    if (message.kind === "failed") {
      this.#fail(message.error);
    } else if (message.kind === "prepared") {
      this.#isOver = true;
      must(this.#ending)(null, message.head);
    } else {
      this.#spare.push(message.block);
      this.#fill();
    }
  }

  #fail(reason: string): void {
    if (this.#isOver || this.#error !== null) return;
    this.#error = new Error(`Cannot take in the database file for ${this.#path}: ${reason}`);
    const [writing, ending] = [this.#writing, this.#ending];
    this.#writing = null;
    this.#ending = null;
    writing?.(this.#error);
    ending?.(this.#error, null as unknown as ImageHead);
  }
}
