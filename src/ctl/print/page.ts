/** What a command is about to print: text and raw bytes, since keys and values are any bytes. */

export type Piece = string | Uint8Array;

const encoder = new TextEncoder();

export class Page {
  readonly #pieces: Uint8Array[] = [];

  /** Adds pieces as they are. */
  add(...pieces: readonly Piece[]): this {
    for (const piece of pieces) {
      this.#pieces.push(typeof piece === "string" ? encoder.encode(piece) : piece);
    }
    return this;
  }

  /** Adds pieces and a line feed. */
  line(...pieces: readonly Piece[]): this {
    return this.add(...pieces, "\n");
  }

  bytes(): Uint8Array {
    const size = this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
    const all = new Uint8Array(size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}
