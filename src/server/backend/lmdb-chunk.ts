import { must } from "../../base/assert.ts";
import { buckets } from "./backend.ts";
import type { Bucket } from "./backend.ts";
import { lmdbLimits } from "./lmdb-limits.ts";

/**
 * Rows on their way to the writer thread, one after the other: bucket number (1 byte), key length
 * (4, little-endian), value length + 1 (4; 0 deletes), key, value. A row never crosses chunks.
 */
export interface Chunk {
  readonly buffer: ArrayBuffer;
  readonly length: number;
}

const rowHeadBytes = 9;
const bucketNumbers = new Map<Bucket, number>(buckets.map((name, i) => [name, i]));

/** Fills one chunk. */
export class ChunkWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #fields: DataView;
  #length = 0;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#fields = new DataView(buffer);
  }

  static rowBytes(key: Uint8Array, value: Uint8Array | null): number {
    return rowHeadBytes + key.length + (value?.length ?? 0);
  }

  get free(): number {
    return this.#bytes.length - this.#length;
  }

  /** The caller made sure that the row fits. */
  add(bucket: Bucket, key: Uint8Array, value: Uint8Array | null): void {
    let at = this.#length;
    this.#bytes[at] = must(bucketNumbers.get(bucket));
    this.#fields.setUint32(at + 1, key.length, true);
    this.#fields.setUint32(at + 5, value === null ? 0 : value.length + 1, true);
    at += rowHeadBytes;
    this.#bytes.set(key, at);
    at += key.length;
    if (value !== null) {
      this.#bytes.set(value, at);
      at += value.length;
    }
    this.#length = at;
  }

  chunk(): Chunk {
    return { buffer: this.#bytes.buffer, length: this.#length };
  }
}

/** A chunk for a row of this size at least. */
export function newChunkBuffer(rowBytes: number): ArrayBuffer {
  return new ArrayBuffer(Math.max(rowBytes, lmdbLimits.chunkBytes));
}

/** Hands every row of a chunk to `visit`; its arrays are windows on the chunk. */
export function readChunk(
  chunk: Chunk,
  visit: (bucket: number, key: Uint8Array, value: Uint8Array | null) => void,
): void {
  const { buffer, length } = chunk;
  const fields = new DataView(buffer);
  for (let at = 0; at < length;) {
    const bucket = fields.getUint8(at);
    const keyLength = fields.getUint32(at + 1, true);
    const valueField = fields.getUint32(at + 5, true);
    const keyAt = at + rowHeadBytes;
    const key = new Uint8Array(buffer, keyAt, keyLength);
    at = keyAt + keyLength;
    if (valueField === 0) {
      visit(bucket, key, null);
      continue;
    }
    visit(bucket, key, new Uint8Array(buffer, at, valueField - 1));
    at += valueField - 1;
  }
}
