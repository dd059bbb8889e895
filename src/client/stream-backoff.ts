/** How long to wait before a broken stream is opened again: doubling, with jitter. */
const firstMs = 25;
const lastMs = 2_000;

export class StreamBackoff {
  readonly #random: () => number;
  #delayMs = firstMs;

  /** @param random as Math.random */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Something was heard: the next failure begins anew. */
  reset(): void {
    this.#delayMs = firstMs;
  }

  /** Milliseconds, between half of the step and all of it; the step is 2 s at most. */
  next(): number {
    const delayMs = this.#delayMs * (0.5 + this.#random() / 2);
    this.#delayMs = Math.min(this.#delayMs * 2, lastMs);
    return delayMs;
  }
}
