import { concat, fromBinaryString, toBinaryString } from "../../src/base/bytes.ts";
import { BoltPlanner } from "../../src/bbolt/plan.ts";
import type { BoltPlan } from "../../src/bbolt/plan.ts";
import { BoltReader } from "../../src/bbolt/reader.ts";
import type { PageSource } from "../../src/bbolt/reader.ts";
import { BoltWriter } from "../../src/bbolt/writer.ts";

/** Buckets with their rows, all of them ascending; one character is one byte. */
export type Content = readonly (readonly [
  name: string,
  rows: readonly (readonly [key: string, value: string])[],
])[];

const bytes = fromBinaryString;

export function planOf(content: Content): BoltPlan {
  const planner = new BoltPlanner();
  for (const [name, rows] of content) {
    planner.bucket(bytes(name));
    for (const [key, value] of rows) planner.row(key.length, value.length);
  }
  return planner.end();
}

export function piecesOf(content: Content, pieceBytes = 5000): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const writer = new BoltWriter({
    plan: planOf(content),
    pieceBytes,
    take: (piece) => pieces.push(piece),
  });
  for (const [name, rows] of content) {
    writer.bucket(bytes(name));
    for (const [key, value] of rows) writer.row(bytes(key), bytes(value));
  }
  writer.end();
  return pieces;
}

export const fileOf = (content: Content): Uint8Array => concat(piecesOf(content));

/** A file in memory that counts what is asked of it. */
export class MemorySource implements PageSource {
  readonly #file: Uint8Array;
  reads = 0;
  largest = 0;

  constructor(file: Uint8Array) {
    this.#file = file;
  }

  get sizeBytes(): number {
    return this.#file.length;
  }

  read(at: number, length: number): Uint8Array {
    if (at < 0 || length < 0 || at + length > this.#file.length) throw new RangeError("outside");
    this.reads++;
    this.largest = Math.max(this.largest, length);
    return this.#file.subarray(at, at + length);
  }
}

export function contentOf(source: PageSource): Content {
  const reader = new BoltReader(source);
  return reader.buckets.map((bucket) => {
    const rows: [string, string][] = [];
    reader.rows(bucket, (key, value) => {
      rows.push([toBinaryString(key), toBinaryString(value)]);
      return true;
    });
    return [toBinaryString(bucket.name), rows];
  });
}
