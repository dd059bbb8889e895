/**
 * Bounds of the LMDB adapter. Not in limits.ts of the server: they are facts of the storage engine.
 */
export const lmdbLimits = {
  /**
   * Longest row key at 4 KiB pages. etcd's row keys are at most 18 bytes, but for names of auth.
   */
  keyBytesMax: 1978,
  /** Longest row value: what one length field of a packed row holds, with room to spare. */
  valueBytesMax: 1 << 30,
  /**
   * Address space reserved for the map. Nothing is allocated for it; LMDB grows it when data do.
   */
  mapBytes: 2 ** 40,
  /** Reserved instead where the machine refuses that much (small address spaces, ulimit -v). */
  mapBytesSmall: 2 ** 34,
  /** Copies that reads return share blocks of this size, up to the size below. */
  poolBytes: 8 << 10,
  pooledBytesMax: 1 << 10,
  /** Read views open at one time, over all environments of the process. */
  viewsMax: 1024,
  /** Rows handed to the writer travel in chunks of this size; one is filled per turn at most. */
  chunkBytes: 1 << 20,
  /** Empty chunks kept for the next batch. */
  spareChunksMax: 8,
  /** One step of catching up during defragment takes at least one batch and about this much. */
  replayStepBytes: 8 << 20,
} as const;
