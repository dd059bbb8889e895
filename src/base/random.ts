import { assert } from "./assert.ts";
import type { Random } from "./ports.ts";

/**
 * A small seeded generator (SFC32: three words of state and a counter). Equal seeds give equal
 * streams on every platform. Not for secrets.
 * @forTests
 */
export function createRandom(seed: number): Random {
  let a = seed >>> 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  function next(): number {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    return result >>> 0;
  }
  for (let i = 0; i < 12; i++) next(); // lets every bit of the seed reach every word

  return {
    u32: next,
    below(n: number): number {
      assert(Number.isInteger(n) && n > 0 && n <= 0x100000000, () => `below(${n})`);
      // Values past the last whole multiple of n would favour small results.
      const limit = 0x100000000 - (0x100000000 % n);
      let value = next();
      while (value >= limit) value = next();
      return value % n;
    },
    fork(label: string): Random {
      let hash = (seed ^ 0x811c9dc5) >>> 0;
      for (let i = 0; i < label.length; i++) {
        hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
      }
      return createRandom(hash);
    },
  };
}
