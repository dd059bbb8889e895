import { frameSize, frameTag, writeVarint } from "./kv-bytes.ts";
import type { StoreLimits } from "./limits.ts";

/**
 * Encoded KeyValue frames in slabs: the overlay of rows not yet durable, and a cache of others.
 *
 * VS1  Bytes of a slab never change once handed out; a slab's memory lives while views point to it.
 * VS2  A slab is dropped only when every row written through it is in the read view in use.
 * VS3  Slabs go in order of their sequence; sequence 0 is never given out.
 */
export class Slab {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  used = 0;
  /** Newest batch with a row in this slab; 0 if it only caches. */
  lastBatch = 0;

  constructor(sequence: number, size: number) {
    this.sequence = sequence;
    this.bytes = new Uint8Array(size);
  }
}

export class ValueSlabs {
  readonly #limits: StoreLimits;
  #slabs: Slab[] = [];
  /** Index in `#slabs` of the oldest one kept; the array is trimmed now and then. */
  #first = 0;
  /** Sequence of `#slabs[0]`. */
  #base = 1;
  #nextSequence = 1;
  #open: Slab | null = null;
  /** Offset of the place given by the last {@link reserve}. */
  offset = 0;
  /** Bytes of all slabs kept. */
  bytes = 0;
  /** Newest batch contained in the read view in use. */
  durableBatch = 0;

  constructor(limits: StoreLimits) {
    this.#limits = limits;
  }

  /**
   * A place of `size` bytes: the slab returned, from `this.offset`. `batch` is the number of the
   * batch the bytes belong to, 0 for cached rows.
   */
  reserve(size: number, batch: number): Slab {
    let slab = this.#open;
    if (slab === null || slab.used + size > slab.bytes.length) {
      slab = this.#grow(size);
    }
    this.offset = slab.used;
    slab.used += size;
    if (batch > slab.lastBatch) slab.lastBatch = batch;
    return slab;
  }

  /** A place for a frame around a KeyValue of `kvLength` bytes, its header written. */
  reserveFrame(kvLength: number, batch: number): Slab {
    const slab = this.reserve(frameSize(kvLength), batch);
    slab.bytes[this.offset] = frameTag;
    writeVarint(slab.bytes, this.offset + 1, kvLength);
    return slab;
  }

  #grow(size: number): Slab {
    this.trim();
    const { slabBytes } = this.#limits;
    const large = size > slabBytes / 4;
    const slab = new Slab(this.#nextSequence++, large ? size : slabBytes);
    this.#slabs.push(slab);
    this.bytes += slab.bytes.length;
    if (!large) this.#open = slab;
    return slab;
  }

  /** The slab, or null once dropped. */
  get(sequence: number): Slab | null {
    const index = sequence - this.#base;
    return index >= this.#first ? this.#slabs[index]! : null;
  }

  /** Drops slabs above the cache bound as far as VS2 allows. */
  trim(): void {
    while (this.bytes > this.#limits.cacheBytesMax && this.#first < this.#slabs.length) {
      const slab = this.#slabs[this.#first]!;
      if (slab.lastBatch > this.durableBatch) break;
      if (slab === this.#open) this.#open = null;
      this.bytes -= slab.bytes.length;
      this.#first++;
    }
    if (this.#first > 64 && this.#first * 2 > this.#slabs.length) {
      this.#slabs = this.#slabs.slice(this.#first);
      this.#base += this.#first;
      this.#first = 0;
    } else this.#forget();
  }

  /** Lets go of dropped slabs that still stand in the array. */
  #forget(): void {
    for (let i = this.#first - 1; i >= 0 && this.#slabs[i] !== gone; i--) this.#slabs[i] = gone;
  }
}

const gone = new Slab(0, 0);
