import { emptyBytes, fromBinaryString, toBinaryString } from "../../base/bytes.ts";
import { BoltError } from "../../bbolt/format.ts";
import { BoltReader } from "../../bbolt/reader.ts";
import type { PageSource } from "../../bbolt/reader.ts";
import type { Bucket, View } from "./backend.ts";
import { bucketOrder, readHead } from "./image-builder.ts";
import type { ImageHead } from "./image.ts";

const revisionRowBytes = 17;
const underscoreAt = 8;
const underscore = 0x5f;
const tombstoneMark = 0x74;

/**
 * Gets every row of the file, bucket by bucket in the order of their names, keys ascending. The
 * arrays are the source's.
 */
export type LoadRow = (bucket: Bucket, key: Uint8Array, value: Uint8Array) => void;

/**
 * Reads a received database file whole, verifying it on the way, and says what it is. Throws
 * {@link BoltError} when it is damaged or not etcd's; what was loaded by then is worth nothing.
 *
 * @param keyBytesMax longest row key that can be kept.
 */
export function loadImage(source: PageSource, keyBytesMax: number, load: LoadRow): ImageHead {
  const reader = new BoltReader(source);
  const missing = new Set<Bucket>(bucketOrder);
  const small = new Map<Bucket, Map<string, Uint8Array>>();
  let newest: Uint8Array = emptyBytes;
  for (const bucket of reader.buckets) {
    const name = bucketOrder.find((known) => known === toBinaryString(bucket.name));
    if (name === undefined) {
      throw new BoltError(`unknown bucket "${toBinaryString(bucket.name)}": not a file of etcd 3`);
    }
    missing.delete(name);
    const isKept = name === "meta" || name === "members" || name === "members_removed";
    const kept = new Map<string, Uint8Array>();
    if (isKept) small.set(name, kept);
    reader.rows(bucket, (key, value) => {
      checkKey(name, key, keyBytesMax);
      load(name, key, value);
      if (name === "key") newest = key;
      else if (isKept) kept.set(toBinaryString(key), value.slice());
      return true;
    });
  }
  // Older servers made a bucket when they first needed it; these two are there from the start.
  if (missing.has("key") || missing.has("meta")) {
    throw new BoltError("the buckets key and meta are missing: not a file of etcd 3");
  }
  return readHead(pictureOf(small), newest.slice());
}

function checkKey(bucket: Bucket, key: Uint8Array, keyBytesMax: number): void {
  if (key.length === 0 || key.length > keyBytesMax) {
    throw new BoltError(`a key of ${key.length} bytes in ${bucket}, wanted 1 to ${keyBytesMax}`);
  }
  if (bucket !== "key") return;
  const isTombstone =
    key.length === revisionRowBytes + 1 && key[revisionRowBytes] === tombstoneMark;
  const isRevision = key.length === revisionRowBytes || isTombstone;
  if (!isRevision || key[underscoreAt] !== underscore) {
    throw new BoltError("a row of the key bucket is no revision");
  }
}

/** The few rows that a head is read from. */
function pictureOf(
  small: ReadonlyMap<Bucket, ReadonlyMap<string, Uint8Array>>,
): Pick<View, "get" | "range"> {
  return {
    get: (bucket, key) => small.get(bucket)?.get(toBinaryString(key)) ?? null,
    range: (bucket, _from, _to, visit) => {
      for (const [key, value] of small.get(bucket) ?? []) visit(fromBinaryString(key), value);
    },
  };
}
