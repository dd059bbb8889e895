/**
 * Copies of small byte strings, cut from larger blocks: each costs a view instead of an allocation
 * of its own. A block lives as long as any of its pieces, so pieces should die at about the same
 * age.
 */
export class Arena {
  readonly #blockBytes: number;
  #block: ArrayBuffer | null = null;
  #used = 0;

  /** @param blockBytes size of a block; what is larger than a quarter of it is copied by itself */
  constructor(blockBytes = 64 * 1024) {
    this.#blockBytes = blockBytes;
  }

  /** Zeroed space that nobody else writes to. */
  take(length: number): Uint8Array {
    if (length > this.#blockBytes / 4) return new Uint8Array(length);
    if (this.#block === null || this.#used + length > this.#blockBytes) {
      this.#block = new ArrayBuffer(this.#blockBytes);
      this.#used = 0;
    }
    const piece = new Uint8Array(this.#block, this.#used, length);
    this.#used += length;
    return piece;
  }

  copy(bytes: Uint8Array): Uint8Array {
    const piece = this.take(bytes.length);
    piece.set(bytes);
    return piece;
  }
}
