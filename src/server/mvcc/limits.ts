/**
 * Every bound of the store. Sizes in bytes; the owner may pass other values (tests use tiny ones).
 */
export interface StoreLimits {
  /** Size of one value slab. */
  readonly slabBytes: number;
  /** Value slabs kept in memory once their rows are durable; more is dropped, oldest first. */
  readonly cacheBytesMax: number;
  /** Keys looked at in one turn by a sliced range; a value read from the backend counts as 16. */
  readonly rangeKeysPerTurn: number;
  /** Bytes of range results not yet released by their callers; further sliced ranges wait. */
  readonly rangeBytesInFlightMax: number;
  /** Rows or keys a compaction handles before it pauses (etcd: compaction-batch-limit). */
  readonly compactionBatchLimit: number;
  /** Pause between two compaction batches (etcd: compaction-sleep-interval). */
  readonly compactionSleepMs: number;
  /** Rows a hash handles per turn. */
  readonly hashRowsPerTurn: number;
  /** Rows of an installed snapshot that are read per turn. */
  readonly reloadRowsPerTurn: number;
  /** Hashes of past compactions kept for HashKV. */
  readonly compactionHashesMax: number;
}

export const storeLimits: StoreLimits = {
  slabBytes: 1 << 20,
  cacheBytesMax: 128 << 20,
  rangeKeysPerTurn: 16_384,
  rangeBytesInFlightMax: 512 << 20,
  compactionBatchLimit: 1000,
  compactionSleepMs: 10,
  hashRowsPerTurn: 500,
  reloadRowsPerTurn: 4096,
  compactionHashesMax: 10,
};
