// Sizes and lengths of the benchmark.

export const benchLimits = {
  /** Interleaved rounds of each cell; the median of them counts. */
  rounds: 5,
  /** Seconds of load per cell, server and round. */
  seconds: 1,
  /** Of each call, before anything is measured. */
  warmUpSeconds: 2,
  /** Keys and bytes per value of the memory and restart measurement. */
  largeKeys: 1_000_000,
  largeValueBytes: 256,
  /** Samples of the floor measurements. */
  floorSamples: 1_000,
  /** Bytes of one durable write, a WAL frame's smallest size. */
  floorWriteBytes: 4_096,
  /** Time for a server to settle after a bulk load before its memory is read, in milliseconds. */
  settleMs: 3_000,
  loadTimeoutMs: 10 * 60_000,
} as const;
