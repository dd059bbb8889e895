/** How the memory the process may use is divided; the answer must fit a container's limit. */

export interface MemoryPlan {
  /** V8's old space: indexes, watchers, leases, everything that is a JavaScript object. */
  readonly oldSpaceMiB: number;
  /** One half of V8's new space. Large, so that the garbage of calls dies before it is copied. */
  readonly semiSpaceMiB: number;
  /** Applied rows that may wait for the backend before proposals stall. */
  readonly overlayBytesMax: number;
}

const mib = 1024 * 1024;
/** Half of the memory; the rest holds slabs of key-values, LMDB's pages and sockets. */
const oldSpaceShare = 1 / 2;
const oldSpaceMiBMin = 64;
const oldSpaceMiBMax = 16 * 1024;
const semiSpaceShare = 1 / 32; // new space is three halves: a tenth of the memory
const semiSpaceMiBMax = 64;
const overlayShare = 1 / 8;
const overlayBytesMax = 256 * mib;

/** @param limitBytes what the process may use in all, > 0 */
export function planMemory(limitBytes: number): MemoryPlan {
  const limitMiB = limitBytes / mib;
  return {
    oldSpaceMiB: clamp(Math.floor(limitMiB * oldSpaceShare), oldSpaceMiBMin, oldSpaceMiBMax),
    semiSpaceMiB: clamp(Math.floor(limitMiB * semiSpaceShare), 1, semiSpaceMiBMax),
    overlayBytesMax: Math.min(Math.floor(limitBytes * overlayShare), overlayBytesMax),
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
