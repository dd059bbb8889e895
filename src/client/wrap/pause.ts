/** Waits that end at once when everything is to end. */
export class Pause {
  readonly #ended: AbortSignal;

  constructor(ended: AbortSignal) {
    this.#ended = ended;
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        this.#ended.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#ended.addEventListener("abort", done);
    });
  }

  /** Until another signal fires. */
  until(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended.aborted || signal.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        this.#ended.removeEventListener("abort", done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#ended.addEventListener("abort", done);
      signal.addEventListener("abort", done);
    });
  }
}
