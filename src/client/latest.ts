// A value that changes, for readers who want the newest and may skip those between.
//
// LT1  An iterator gives the value that is there when it is asked first, then only newer ones.
// LT2  Nothing is held for a slow reader: it gets the newest when it comes back.
export class Latest<T> {
  #value: { readonly of: T } | null = null;
  /** Grows with every value. */
  #version = 0;
  #isEnded = false;
  #wakers: (() => void)[] = [];

  set(value: T): void {
    if (this.#isEnded) return;
    this.#value = { of: value };
    this.#version++;
    this.#wake();
  }

  /** No more values; iterators end. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *values(): AsyncGenerator<T, void> {
    let seen = 0;
    while (!this.#isEnded) {
      if (this.#version === seen) await this.#next();
      else {
        seen = this.#version;
        if (this.#value !== null) yield this.#value.of;
      }
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}
