/** The bytes of a bbolt file, version 2. All numbers are little-endian. */

/** Size of a page as this writer lays it out. A reader takes what the file says. */
export const pageBytes = 4096;
export const pageHeadBytes = 16;
/** One element of a leaf or branch page. */
export const elementBytes = 16;
/** Root page and sequence, in front of a bucket's value. */
export const bucketHeadBytes = 16;
export const metaPages = 2;

export const flagBranch = 0x01;
export const flagLeaf = 0x02;
export const flagMeta = 0x04;
/** Of a leaf element: the value is a bucket. */
export const flagBucket = 0x01;

export const magic = 0xed0cdaed;
export const version = 2;
/** Bytes of a meta page, from magic, that its checksum covers. */
export const metaSummedBytes = 56;

/** Offsets in a meta page from the start of the page. */
export const metaAt = {
  magic: 16,
  version: 20,
  pageSize: 24,
  root: 32,
  freelist: 48,
  highWater: 56,
  transaction: 64,
  checksum: 72,
} as const;

/** What stands for the freelist's page when there is no freelist. */
export const noFreelist = 0xffff_ffff_ffff_ffffn;

export const boltLimits = {
  /** bbolt's own bound of a key. */
  keyBytesMax: 32_768,
  /** Longest value read or written; larger ones are damage. */
  valueBytesMax: 1 << 30,
  /** Page sizes a file may have: powers of two. */
  pageBytesMin: 512,
  pageBytesMax: 65_536,
  /** Levels of a tree. Every branch page has two children at least in a sound file. */
  depthMax: 64,
  bucketsMax: 1000,
} as const;

/** The file is damaged, or no bbolt file at all. */
export class BoltError extends Error {
  override readonly name = "BoltError";
}

const fnvOffset = 0xcbf2_9ce4_8422_2325n;
const fnvPrime = 0x0100_0000_01b3n;

/** FNV-1a with 64 bits. For a few bytes: it is slow. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = fnvOffset;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * fnvPrime);
  return hash;
}
