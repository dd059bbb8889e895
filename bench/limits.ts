// Sizes and lengths of the benchmark.

export const benchLimits = {
  /** Interleaved rounds of each cell; the median of them counts. */
  rounds: 5,
  /** Seconds of load per cell, server and round. */
  seconds: 1,
  /** Starts of each command line. */
  commandStarts: 20,
  /** Of load under the profiler. */
  profileSeconds: 4,
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
  /** Of the measurement of turns: keys, leases, and leases that expire, with their TTL. */
  turnKeys: 200_000,
  turnLeases: 100_000,
  expiringLeases: 10_000,
  expiringTtlSeconds: 8,
  /** Pause between two puts of its one client, and for how long one client process puts. */
  turnPaceMs: 2,
  turnProbeSeconds: 3,
  /** Length of the phase in which nothing else happens, in milliseconds. */
  quietPhaseMs: 2_000,
  pollMs: 500,
  /** Of three members: each planned or unplanned change of leader, per cluster. */
  leaderChanges: 20,
  leaderTimeoutMs: 30_000,
  leaderPollMs: 20,
  /** Between two puts of the client that looks for gaps, before and after the change; at most. */
  gapPaceMs: 2,
  gapSettleMs: 500,
  gapSecondsMax: 40,
  /** Of the member that catches up: 1 GB in values, two to a page of the database file, and the
   *  clients that write meanwhile. */
  catchUpKeys: 524_288,
  catchUpValueBytes: 1_900,
  catchUpClients: 20,
  catchUpPaceMs: 10,
  catchUpQuietSeconds: 5,
  memoryPollMs: 50,
  loadTimeoutMs: 10 * 60_000,
} as const;
