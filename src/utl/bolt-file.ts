/** Database files of etcd (bbolt) on disk: read in windows, written anew with some rows changed. */
import {
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
import { toBinaryString } from "../base/bytes.ts";
import { BoltPlanner } from "../bbolt/plan.ts";
import type { BoltReader, PageSource } from "../bbolt/reader.ts";
import { BoltWriter } from "../bbolt/writer.ts";
import { syncDirectory } from "../io/node-directory.ts";

const windowBytes = 1 << 20;
const pieceBytes = 1 << 20;

/** Pages of a file that nobody writes meanwhile. A window that was read stays as it is. */
export class FilePages implements PageSource {
  readonly sizeBytes: number;
  readonly #file: number;
  #at = 0;
  #window = new Uint8Array(0);

  constructor(file: number) {
    this.#file = file;
    this.sizeBytes = fstatSync(file).size;
  }

  read(at: number, length: number): Uint8Array {
    const isInside = at >= this.#at && at + length <= this.#at + this.#window.length;
    if (!isInside) {
      const wanted = Math.min(Math.max(length, windowBytes), this.sizeBytes - at);
      this.#window = readAt(this.#file, at, wanted);
      this.#at = at;
    }
    return this.#window.subarray(at - this.#at, at - this.#at + length);
  }
}

/** Exactly `length` bytes from `at`; throws when the file ends before. */
export function readAt(file: number, at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let got = 0; got < length;) {
    const n = readSync(file, bytes, got, length - got, at + got);
    if (n === 0) throw new Error("the file has become shorter");
    got += n;
  }
  return bytes;
}

export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

/** The row's new value; null: the row goes. */
type EditRow = (bucket: string, key: Uint8Array, value: Uint8Array) => Uint8Array | null;

export interface RowEdits {
  readonly edit?: EditRow;
  /** A row that the bucket may not have yet; `edit` must drop the old one. */
  readonly add?: { readonly bucket: string; readonly key: Uint8Array; readonly value: Uint8Array };
}

/**
 * Writes all rows into a new file, without free pages, and puts it in the place of `path`; after
 * any crash the file is as before or as wanted.
 */
export function rewriteBolt(reader: BoltReader, path: string, edits: RowEdits = {}): void {
  const next = `${path}.tmp`;
  const planner = new BoltPlanner();
  eachRow(
    reader,
    edits,
    (name) => planner.bucket(name),
    (key, value) => planner.row(key.length, value.length),
  );
  const file = openSync(next, "w", 0o600);
  try {
    try {
      const take = (piece: Uint8Array): void => writeAll(file, piece);
      const writer = new BoltWriter({ plan: planner.end(), pieceBytes, take });
      eachRow(
        reader,
        edits,
        (name) => writer.bucket(name),
        (key, value) => writer.row(key, value),
      );
      writer.end();
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function eachRow(
  reader: BoltReader,
  { edit, add }: RowEdits,
  begin: (name: Uint8Array) => void,
  row: (key: Uint8Array, value: Uint8Array) => void,
): void {
  for (const bucket of reader.buckets) {
    const name = toBinaryString(bucket.name);
    begin(bucket.name);
    let added = add?.bucket === name ? add : undefined;
    const addBefore = (key: string | null): void => {
      if (added === undefined || (key !== null && toBinaryString(added.key) > key)) return;
      row(added.key, added.value);
      added = undefined;
    };
    reader.rows(bucket, (key, value) => {
      const kept = edit === undefined ? value : edit(name, key, value);
      if (kept === null) return true;
      if (added !== undefined) addBefore(toBinaryString(key));
      row(key, kept);
      return true;
    });
    addBefore(null);
  }
}
