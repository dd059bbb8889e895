/**
 * Bytes of a connection in the order they came, taken in pieces of exact size.
 *
 * BQ1  Bytes are copied only where a piece spans chunks; else it is a view of its chunk.
 */
import { assert } from "../../base/assert.ts";

export class ByteQueue {
  /** Bytes not yet taken. */
  length = 0;
  #chunks: Uint8Array[] = [];
  /** Chunks before this one were taken. */
  #first = 0;
  /** Bytes of the first chunk that were taken. */
  #taken = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  /** The next `count` bytes, of which there must be that many. */
  take(count: number): Uint8Array {
    assert(count <= this.length, "more bytes taken than came");
    const chunk = this.#chunks[this.#first];
    this.length -= count;
    if (chunk === undefined) return new Uint8Array(0);
    if (chunk.length - this.#taken >= count) {
      const piece = chunk.subarray(this.#taken, this.#taken + count); // BQ1
      this.#advance(count);
      return piece;
    }
    const piece = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const from = this.#chunks[this.#first]!;
      const part = from.subarray(this.#taken, this.#taken + count - at);
      piece.set(part, at);
      at += part.length;
      this.#advance(part.length);
    }
    return piece;
  }

  takeByte(): number {
    const byte = this.#chunks[this.#first]![this.#taken]!;
    this.length--;
    this.#advance(1);
    return byte;
  }

  /** A big-endian uint64; from 2^53 on it is rounded, which is beyond every bound. */
  takeUint64(): number {
    const bytes = this.take(8);
    let value = 0;
    for (let i = 0; i < 8; i++) value = value * 256 + bytes[i]!;
    return value;
  }

  #advance(count: number): void {
    this.#taken += count;
    if (this.#taken < this.#chunks[this.#first]!.length) return;
    this.#taken = 0;
    this.#first++;
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#first = 0;
    } else if (this.#first >= compactAt) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

/** Taken chunks are let go when there are so many. */
const compactAt = 64;
