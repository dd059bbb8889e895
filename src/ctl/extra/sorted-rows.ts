/**
 * Rows by key out of any order, in little memory: what does not fit is sorted in parts, written to
 * temporary files and merged.
 *
 * SR1  Of the rows of one key only the one added last comes out.
 * SR2  Memory: rows up to `memoryBytesMax`, then one window for each file.
 * SR3  No file outlives the process: each is unlinked as soon as it is open.
 */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinaryString, toBinaryString } from "../../base/bytes.ts";

const memoryBytesDefault = 64 * 1024 * 1024;
/** What a row takes beside its bytes, roughly. */
const rowOverheadBytes = 128;
const windowBytes = 256 * 1024;
const headBytes = 8;

/** An empty record is a key that is gone. */
export interface SortedRow {
  /** One letter for each byte: sorts as bytes do. */
  readonly key: string;
  readonly record: Uint8Array;
}

export class SortedRows {
  readonly #memoryBytesMax: number;
  #rows = new Map<string, Uint8Array>();
  #bytes = 0;
  /** In the order they were written: the later one is right (SR1). */
  readonly #files: number[] = [];

  constructor(memoryBytesMax = memoryBytesDefault) {
    this.#memoryBytesMax = memoryBytesMax;
  }

  /** Keeps `record`: a view keeps what it came from. May throw what the system says. */
  add(key: Uint8Array, record: Uint8Array): void {
    const text = toBinaryString(key);
    const old = this.#rows.get(text);
    this.#bytes += record.length - (old?.length ?? 0);
    if (old === undefined) this.#bytes += text.length + rowOverheadBytes;
    this.#rows.set(text, record);
    if (this.#bytes > this.#memoryBytesMax) this.#spill(); // SR2
  }

  /** All keys that are there, ascending. Once. */
  *rows(): Generator<SortedRow, void, undefined> {
    const runs = [...this.#files.map(fileRun), memoryRun(this.#rows)];
    for (const row of mergeRuns(runs)) if (row.record.length > 0) yield row;
  }

  close(): void {
    for (const file of this.#files.splice(0)) closeSync(file);
    this.#rows.clear();
  }

  #spill(): void {
    const file = temporaryFile();
    this.#files.push(file);
    const writer = new RunWriter(file);
    for (const row of memoryRun(this.#rows)) writer.write(row);
    writer.flush();
    this.#rows = new Map();
    this.#bytes = 0;
  }
}

function temporaryFile(): number {
  const folder = mkdtempSync(join(tmpdir(), "quorate-sort-"));
  const path = join(folder, "run");
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path); // SR3
  rmdirSync(folder);
  return file;
}

class RunWriter {
  readonly #file: number;
  readonly #window = new Uint8Array(windowBytes);
  #used = 0;

  constructor(file: number) {
    this.#file = file;
  }

  write({ key, record }: SortedRow): void {
    const head = new DataView(new ArrayBuffer(headBytes));
    head.setUint32(0, key.length);
    head.setUint32(4, record.length);
    this.#add(new Uint8Array(head.buffer));
    this.#add(fromBinaryString(key));
    this.#add(record);
  }

  flush(): void {
    writeAll(this.#file, this.#window.subarray(0, this.#used));
    this.#used = 0;
  }

  #add(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#window.length) this.flush();
    if (bytes.length > this.#window.length) {
      writeAll(this.#file, bytes);
      return;
    }
    this.#window.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function* memoryRun(rows: ReadonlyMap<string, Uint8Array>): Generator<SortedRow, void, undefined> {
  for (const key of [...rows.keys()].sort()) yield { key, record: rows.get(key)! };
}

/** Rows as RunWriter wrote them. */
function* fileRun(file: number): Generator<SortedRow, void, undefined> {
  let window = new Uint8Array(0);
  let at = 0;
  let fileAt = 0;
  /** The next bytes; `undefined` at the end of the file. */
  const take = (length: number): Uint8Array | undefined => {
    if (at + length > window.length) {
      const next = new Uint8Array(Math.max(windowBytes, length));
      const rest = window.subarray(at);
      next.set(rest);
      let filled = rest.length;
      while (filled < next.length) {
        const got = readSync(file, next, filled, next.length - filled, fileAt);
        if (got === 0) break;
        filled += got;
        fileAt += got;
      }
      window = next.subarray(0, filled);
      at = 0;
    }
    if (at + length > window.length) return undefined;
    at += length;
    return window.subarray(at - length, at);
  };
  for (;;) {
    const head = take(headBytes);
    if (head === undefined) return;
    const view = new DataView(head.buffer, head.byteOffset);
    const [keyBytes, recordBytes] = [view.getUint32(0), view.getUint32(4)];
    const key = take(keyBytes);
    if (key === undefined) return;
    const text = toBinaryString(key);
    const record = take(recordBytes);
    if (record === undefined) return;
    yield { key: text, record };
  }
}

interface Run {
  readonly rows: Iterator<SortedRow, void>;
  row: SortedRow | undefined;
}

/** Of equal keys the one of the last run (SR1). */
function* mergeRuns(iterables: readonly Iterable<SortedRow>[]): Generator<SortedRow, void> {
  const runs: Run[] = iterables.map((iterable) => {
    const rows = iterable[Symbol.iterator]() as Iterator<SortedRow, void>;
    return { rows, row: nextOf(rows) };
  });
  for (;;) {
    let least: SortedRow | undefined;
    for (const { row } of runs) {
      if (row !== undefined && (least === undefined || row.key <= least.key)) least = row;
    }
    if (least === undefined) return;
    yield least;
    for (const run of runs) if (run.row?.key === least.key) run.row = nextOf(run.rows);
  }
}

function nextOf(rows: Iterator<SortedRow, void>): SortedRow | undefined {
  const next = rows.next();
  return next.done === true ? undefined : next.value;
}
