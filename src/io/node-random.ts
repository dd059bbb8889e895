/** Randomness of the operating system: member ids, watch ids, timeouts. */
import { assert } from "../base/assert.ts";
import type { Random } from "../base/ports.ts";

/** Numbers fetched from the operating system at once. */
const poolSize = 256;

class NodeRandom implements Random {
  readonly #pool = new Uint32Array(poolSize);
  #at = poolSize;

  u32(): number {
    if (this.#at === poolSize) {
      crypto.getRandomValues(this.#pool);
      this.#at = 0;
    }
    return this.#pool[this.#at++]!;
  }

  below(n: number): number {
    assert(Number.isInteger(n) && n > 0 && n <= 2 ** 32, `below(${n}): wanted 1..2^32`);
    // The largest multiple of n that fits: numbers above it would make small results likelier.
    const limit = 2 ** 32 - (2 ** 32 % n);
    let drawn = this.u32();
    while (drawn >= limit) drawn = this.u32();
    return drawn % n;
  }

  fork(): Random {
    return new NodeRandom(); // draws of the operating system are independent anyway
  }
}

export function createNodeRandom(): Random {
  return new NodeRandom();
}
