/** Cuts a stream of bytes into pieces of one size; the last may be shorter. */
export class PieceWriter {
  readonly #pieceBytes: number;
  readonly #take: (piece: Uint8Array<ArrayBuffer>) => void;
  #piece: Uint8Array<ArrayBuffer>;
  #used = 0;
  /** Bytes written so far. */
  length = 0;

  /** `take` owns the pieces it is given. */
  constructor(pieceBytes: number, take: (piece: Uint8Array<ArrayBuffer>) => void) {
    this.#pieceBytes = pieceBytes;
    this.#take = take;
    this.#piece = new Uint8Array(pieceBytes);
  }

  write(bytes: Uint8Array): void {
    this.length += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const n = Math.min(bytes.length - at, this.#pieceBytes - this.#used);
      const isWhole = n === bytes.length;
      this.#piece.set(isWhole ? bytes : bytes.subarray(at, at + n), this.#used);
      at += n;
      this.#advance(n);
    }
  }

  zeros(count: number): void {
    this.length += count;
    for (let left = count; left > 0;) {
      const n = Math.min(left, this.#pieceBytes - this.#used);
      left -= n;
      this.#advance(n);
    }
  }

  end(): void {
    if (this.#used > 0) this.#take(this.#piece.subarray(0, this.#used));
    this.#used = 0;
  }

  #advance(count: number): void {
    this.#used += count;
    if (this.#used < this.#pieceBytes) return;
    this.#take(this.#piece);
    this.#piece = new Uint8Array(this.#pieceBytes);
    this.#used = 0;
  }
}
