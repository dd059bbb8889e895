import { assert } from "../../base/assert.ts";
import type { Disk, Done, File } from "../../base/ports.ts";
import { spareName } from "./names.ts";

// SP1  A spare is handed out only when all its blocks were written once: writing into it later
//      changes no file-system metadata.
// SP2  Segments leave the log oldest first, each departure durable before the next, so that a
//      crash leaves no gap.

/** A file to become a segment. Its content is zeros or stale frames. */
export interface Spare {
  readonly file: File;
  readonly path: string;
  readonly bytes: number;
}

export interface SegmentPoolOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentBytes: number;
  /** How many unused segment files are kept at most. */
  readonly sparesMax: number;
  /** Bytes zeroed in one write; small, so that the log's own writes get their turns. */
  readonly zeroChunkBytes: number;
  /** Spares found in the directory: whole files of segmentBytes. */
  readonly spares: readonly string[];
  readonly nextNumber: number;
  /** A background operation failed. Nothing is retried. */
  readonly failed: (error: Error) => void;
}

/** Makes segment files ready ahead of time and takes back the ones the log is done with. */
export class SegmentPool {
  readonly #options: SegmentPoolOptions;
  readonly #spares: string[];
  #nextNumber: number;
  #ready: Spare | null = null;
  #isPreparing = false;
  #waiting: ((spare: Spare) => void) | null = null;
  #departures: { path: string; bytes: number }[] = [];
  #isDeparting = false;
  #whenIdle: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
    this.#spares = [...options.spares];
    this.#nextNumber = options.nextNumber;
  }

  /** Starts to make the next segment file ready, unless one is. */
  prepare(): void {
    if (this.#ready !== null || this.#isPreparing || this.#isClosed) return;
    this.#isPreparing = true;
    const prepared = (error: Error | null, spare: Spare): void => {
      this.#isPreparing = false;
      if (error !== null) {
        this.#options.failed(error);
      } else if (this.#waiting !== null) {
        const run = this.#waiting;
        this.#waiting = null;
        run(spare);
      } else this.#ready = spare;
      this.#checkIdle();
    };
    const path = this.#spares.shift();
    if (path === undefined) this.make(this.#options.segmentBytes, prepared);
    else this.#open(path, prepared);
  }

  /** Calls back with a file of segmentBytes at least, at once if one is ready. */
  take(bytesMin: number, run: (spare: Spare) => void): void {
    assert(this.#waiting === null, "two segments are taken at once");
    if (bytesMin > this.#options.segmentBytes) {
      this.make(bytesMin, (error, spare) => {
        if (error !== null) this.#options.failed(error);
        else run(spare);
      });
    } else if (this.#ready !== null) {
      const spare = this.#ready;
      this.#ready = null;
      run(spare);
    } else {
      this.#waiting = run;
      this.prepare();
    }
  }

  /** Makes a new zeroed file. */
  make(bytes: number, done: Done<Spare>): void {
    const { disk, directory, zeroChunkBytes } = this.#options;
    const path = `${directory}/${spareName(this.#nextNumber++)}`;
    disk.open(path, "create", (error, file) => {
      if (error !== null) {
        done(error, noSpare);
        return;
      }
      const zeros = new Uint8Array(Math.min(zeroChunkBytes, bytes));
      let at = 0;
      const next = (writeError: Error | null): void => {
        if (writeError !== null || at === bytes || this.#isClosed) {
          done(writeError, { file, path, bytes });
          return;
        }
        const chunk = zeros.subarray(0, Math.min(zeros.length, bytes - at));
        at += chunk.length;
        file.writeDurable(at - chunk.length, chunk, next);
      };
      next(null);
    });
  }

  /** The log no longer needs this segment: keeps the file for later, or removes it (SP2). */
  release(path: string, bytes: number): void {
    this.#departures.push({ path, bytes });
    this.#depart();
  }

  /** No further work is begun; `done` runs when what is under way has ended. */
  close(done: () => void): void {
    this.#isClosed = true;
    this.#departures = [];
    this.#whenIdle = (): void => {
      if (this.#ready === null) done();
      else this.#ready.file.close(done);
    };
    this.#checkIdle();
  }

  #open(path: string, done: Done<Spare>): void {
    this.#options.disk.open(path, "write", (error, file) => {
      done(error, { file, path, bytes: this.#options.segmentBytes });
    });
  }

  #depart(): void {
    const segment = this.#departures[0];
    if (this.#isDeparting || segment === undefined) return;
    this.#isDeparting = true;
    this.#departures.shift();
    const { disk, directory, segmentBytes, sparesMax } = this.#options;
    const isKept = segment.bytes === segmentBytes && this.#spares.length < sparesMax;
    const sparePath = `${directory}/${spareName(this.#nextNumber++)}`;
    const departed = (error: Error | null): void => {
      if (error !== null) {
        this.#options.failed(error);
        return;
      }
      disk.syncDir(directory, (syncError) => {
        this.#isDeparting = false;
        if (syncError !== null) {
          this.#options.failed(syncError);
          return;
        }
        if (isKept) this.#spares.push(sparePath);
        this.#depart();
        this.#checkIdle();
      });
    };
    if (isKept) disk.rename(segment.path, sparePath, departed);
    else disk.remove(segment.path, departed);
  }

  #checkIdle(): void {
    if (this.#whenIdle === null || this.#isPreparing || this.#isDeparting) return;
    const run = this.#whenIdle;
    this.#whenIdle = null;
    run();
  }
}

/** Goes with an error: nobody looks at it. */
const noSpare = null as unknown as Spare;
