/** The database in the backend's directory. */
export const databaseName = "data.mdb";

/** Bounds of the LMDB adapter. */
export const lmdbLimits = {
  /** Longest row key at 4 KiB pages. etcd's row keys have at most 18 bytes, names of auth apart. */
  keyBytesMax: 1978,
  /** Longest row value: what one length field of a packed row holds, with room to spare. */
  valueBytesMax: 1 << 30,
  /**
   * Address space reserved for the map at first: nothing is allocated for it. When the data outgrow
   * it the library maps more and leaves the old map to the views open on it. Small enough for a few
   * maps in the smallest address space of arm64 (512 GiB).
   */
  mapBytes: 2 ** 36,
  /** Copies that reads return share blocks of this size, up to the size below. */
  poolBytes: 8 << 10,
  pooledBytesMax: 1 << 10,
  /** Read views open at one time, over all environments of the process. */
  viewsMax: 1024,
  /** Rows handed to the writer travel in chunks of this size; one is filled per turn at most. */
  chunkBytes: 1 << 20,
  /** Young generation of the writer thread's heap. */
  writerYoungMiB: 8,
  /** Empty chunks kept for the next batch. */
  spareChunksMax: 8,
  /** One step of catching up during defragment takes at least one batch and about this much. */
  replayStepBytes: 8 << 20,
  /** Rows that the first pass of an export counts before it listens again. */
  exportStepRows: 100_000,
  /** Pieces of a database file made before they are asked for. */
  exportPiecesAhead: 4,
  /** A received database file reaches its thread in blocks of this size, so many at most. */
  importBlockBytes: 1 << 20,
  importBlocksMax: 8,
  /** Rows of a received database file are written in transactions of about this much. */
  loadStepBytes: 8 << 20,
  /** A received database file is read in windows of this size where pages follow each other, */
  readAheadBytes: 1 << 20,
  /** and elsewhere (branch pages, files of other writers) in windows of this size. */
  readAsideBytes: 64 << 10,
  /**
   * Priority of the threads that give out and take in a database file, as "nice" has it: about a
   * third of what a thread gets that clients wait for.
   */
  imageNice: 5,
  /** Young generation of a thread that gives out or takes in a database file. */
  imageYoungMiB: 4,
} as const;
