// What a `for await` loop waits for.
//
// AQ1  Values come out in the order they went in, each to one reader.
// AQ2  Whoever fills the queue keeps its bound: it has none of its own.
// AQ3  An error comes after the values before it, once; then the queue is over.
interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: Error): void;
}

const over = Object.freeze({ done: true as const, value: undefined });

export class AsyncQueue<T> {
  #items: T[] = [];
  #head = 0;
  #waiters: Waiter<T>[] = [];
  #isEnded = false;
  #error: Error | null = null;

  /** Values that nobody took yet. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** True when somebody waited for it: it is not held here. */
  push(value: T): boolean {
    if (this.#isEnded) return false;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#items.push(value);
      return false;
    }
    waiter.resolve({ done: false, value });
    return true;
  }

  /** The oldest value, or undefined when there is none. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const value = this.#items[this.#head];
    this.#items[this.#head++] = undefined as T;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head); // each item is moved once on average
      this.#head = 0;
    }
    return value;
  }

  /** No more values. Those inside are still given out, then the error if there is one. */
  end(error: Error | null = null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) this.#giveEnd(waiter);
  }

  /** Forgets the values inside. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.length > 0) return Promise.resolve({ done: false, value: this.shift()! });
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#isEnded) this.#giveEnd(waiter);
      else this.#waiters.push(waiter);
    });
  }

  #giveEnd(waiter: Waiter<T>): void {
    const error = this.#error;
    this.#error = null; // AQ3
    if (error === null) waiter.resolve(over);
    else waiter.reject(error);
  }
}
