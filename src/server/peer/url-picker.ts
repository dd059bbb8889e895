/** Which of a peer's URLs is in use: one until it fails, then the next, round and round. */
import { assert } from "../../base/assert.ts";

export class UrlPicker {
  #urls: readonly string[] = [];
  #picked = 0;

  constructor(urls: readonly string[]) {
    this.update(urls);
  }

  update(urls: readonly string[]): void {
    assert(urls.length > 0, "a peer has a URL");
    this.#urls = urls;
    this.#picked = 0;
  }

  get count(): number {
    return this.#urls.length;
  }

  pick(): string {
    return this.#urls[this.#picked]!;
  }

  /** That URL failed; late reports of an earlier one change nothing. */
  unreachable(url: string): void {
    if (url === this.pick()) this.#picked = (this.#picked + 1) % this.#urls.length;
  }
}
