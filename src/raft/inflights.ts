import { assert } from "../base/assert.ts";

// IF1  Last indexes grow from the oldest message under way to the newest.
// IF2  bytes is the sum of the sizes held: freed and forgotten messages take theirs along.

/** Slots of the ring to begin with; it doubles up to countMax. */
const slotsFirst = 8;

/**
 * The append messages under way to one follower: the last index and the bytes of each, oldest
 * first. Bounded by count and bytes; the byte bound is soft: the message that reaches it still
 * goes.
 */
export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #indexes: Float64Array;
  #sizes: Float64Array;
  #start = 0;
  #count = 0;
  #bytes = 0;

  /** `countMax` >= 1 messages; `bytesMax` >= 1 bytes, Infinity for no bound. */
  constructor(countMax: number, bytesMax: number) {
    assert(countMax >= 1 && bytesMax >= 1, () => `inflights of ${countMax}, ${bytesMax} bytes`);
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
    const slots = Math.min(slotsFirst, countMax);
    this.#indexes = new Float64Array(slots);
    this.#sizes = new Float64Array(slots);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#count === this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** A message left whose last entry is `index`, with `bytes` of entries. Only while not full. */
  add(index: number, bytes: number): void {
    assert(!this.isFull, "a message was sent beyond the bound of those under way");
    if (this.#count > 0) {
      const newest = this.#indexes[this.#slot(this.#count - 1)]!;
      assert(index > newest, () => `inflight ${index} after ${newest}`); // IF1
    }
    if (this.#count === this.#indexes.length) this.#grow();
    const slot = this.#slot(this.#count);
    this.#indexes[slot] = index;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** The follower has everything up to `index`. */
  freeTo(index: number): void {
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!; // IF2
      this.#start = this.#slot(1);
      this.#count--;
    }
  }

  /** Forgets all. */
  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #slot(offset: number): number {
    const slot = this.#start + offset;
    return slot < this.#indexes.length ? slot : slot - this.#indexes.length;
  }

  #grow(): void {
    const slots = Math.min(this.#indexes.length * 2, this.#countMax);
    const indexes = new Float64Array(slots);
    const sizes = new Float64Array(slots);
    for (let i = 0; i < this.#count; i++) {
      indexes[i] = this.#indexes[this.#slot(i)]!;
      sizes[i] = this.#sizes[this.#slot(i)]!;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
