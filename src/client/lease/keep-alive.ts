import { AsyncQueue } from "../async-queue.ts";
import type { KeepAlive, LeaseGrant } from "../types.ts";

/** Answers kept for a reader that does not read: beyond it the oldest are dropped. */
const answersKeptMax = 16;

/** What a user holds of a lease that is being renewed; renewer.ts drives it. */
export class KeepAliveHandle implements KeepAlive {
  readonly id: bigint;
  readonly #queue = new AsyncQueue<LeaseGrant>();
  readonly #onStop: (handle: KeepAliveHandle) => void;
  /** Made when first asked for: thousands of leases are kept without anybody listening. */
  #lost: AbortController | null = null;
  #reason: Error | null = null;
  #isOver = false;
  #forgetSignal: () => void = () => undefined;

  constructor(id: bigint, onStop: (handle: KeepAliveHandle) => void) {
    this.id = id;
    this.#onStop = onStop;
  }

  get lost(): AbortSignal {
    if (this.#lost === null) {
      this.#lost = new AbortController();
      if (this.#reason !== null) this.#lost.abort(this.#reason);
    }
    return this.#lost.signal;
  }

  /** Stops when the signal fires. */
  follow(signal: AbortSignal): void {
    if (signal.aborted) {
      this.stop();
      return;
    }
    const stop = (): void => {
      this.stop();
    };
    signal.addEventListener("abort", stop, { once: true });
    this.#forgetSignal = () => {
      signal.removeEventListener("abort", stop);
    };
  }

  stop(): void {
    if (this.#isOver) return;
    this.#over();
    this.#onStop(this);
  }

  renewed(grant: LeaseGrant): void {
    if (this.#queue.length >= answersKeptMax) this.#queue.shift();
    this.#queue.push(grant);
  }

  /** The lease is gone, or nobody renews it any more. */
  lose(reason: Error): void {
    if (this.#isOver) return;
    this.#reason = reason;
    this.#over();
    this.#lost?.abort(reason);
  }

  [Symbol.asyncIterator](): AsyncIterator<LeaseGrant, undefined> {
    return {
      next: () => this.#queue.next(),
      // Leaving the loop does not end the renewals: the lease is what matters, not its answers.
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
  }

  #over(): void {
    this.#isOver = true;
    this.#forgetSignal();
    this.#queue.end();
  }
}
