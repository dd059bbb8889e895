/** The keys of a snapshot file, or of etcd's `member/snap/db`, in order. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { compare, fromBinaryString, toBinaryString } from "../../base/bytes.ts";
import { errCompacted, errFutureRev } from "../../base/etcd-errors.ts";
import { BoltError } from "../../bbolt/format.ts";
import type { PageSource } from "../../bbolt/reader.ts";
import { BoltReader } from "../../bbolt/reader.ts";
import { decodeKeyValue } from "../../codec/kv.ts";
import type { Entry, Side } from "./side.ts";
import { SortedRows } from "./sorted-rows.ts";

const windowBytes = 1 << 20;

/** Pages of a file, read in windows; a window that was read stays as it is. */
class WindowedFile implements PageSource {
  readonly sizeBytes: number;
  readonly #file: number;
  #from = 0;
  #window = new Uint8Array(0);

  constructor(file: number) {
    this.#file = file;
    this.sizeBytes = fstatSync(file).size;
  }

  read(at: number, length: number): Uint8Array {
    if (at < this.#from || at + length > this.#from + this.#window.length) {
      this.#window = new Uint8Array(Math.min(Math.max(length, windowBytes), this.sizeBytes - at));
      this.#from = at;
      for (let got = 0; got < this.#window.length;) {
        const n = readSync(this.#file, this.#window, got, this.#window.length - got, at + got);
        if (n === 0) throw new BoltError("the file has become shorter");
        got += n;
      }
    }
    return this.#window.subarray(at - this.#from, at - this.#from + length);
  }
}

/** A row's key: main revision, "_", sub revision, and "t" when the key was deleted. */
const revisionKeyBytes = 17;
const tombstoneKeyBytes = revisionKeyBytes + 1;
const compactionKeys = ["finishedCompactRev", "scheduledCompactRev"];

function mainRevision(key: Uint8Array): number {
  if (key.length !== revisionKeyBytes && key.length !== tombstoneKeyBytes) {
    throw new BoltError("a row of the keys has no revision");
  }
  return Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0));
}

/** Throws BoltError, an Error with etcd's text for a revision that is not there, or the system's. */
export function openSnapshot(
  path: string,
  prefix: Uint8Array,
  wanted: number,
  memoryBytesMax?: number,
): Side {
  const sorted = new SortedRows(memoryBytesMax);
  const file = openSync(path, "r");
  try {
    const revision = collect(new BoltReader(new WindowedFile(file)), sorted, prefix, wanted);
    return {
      name: path,
      revision,
      entries: () => entriesOf(sorted),
      close: () => sorted.close(),
    };
  } catch (error) {
    sorted.close();
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Takes the rows up to the revision wanted. Returns that revision. */
function collect(
  reader: BoltReader,
  sorted: SortedRows,
  prefix: Uint8Array,
  wanted: number,
): number {
  const buckets = new Map(reader.buckets.map((bucket) => [toBinaryString(bucket.name), bucket]));
  const [keys, meta] = [buckets.get("key"), buckets.get("meta")];
  if (keys === undefined) throw new BoltError("it has no keys: not a snapshot of etcd 3");
  let compacted = 0;
  if (meta !== undefined) {
    reader.rows(meta, (name, value) => {
      if (compactionKeys.includes(toBinaryString(name))) {
        compacted = Math.max(compacted, mainRevision(value));
      }
      return true;
    });
  }
  if (wanted !== 0 && wanted < compacted) throw new Error(errCompacted.message);
  let last = Math.max(compacted, 1);
  reader.rows(keys, (revision, value) => {
    const main = mainRevision(revision);
    last = Math.max(last, main);
    if (wanted !== 0 && main > wanted) return false;
    const { key } = decodeKeyValue(value);
    const isAsked = compare(key.subarray(0, prefix.length), prefix) === 0;
    const isGone = revision.length === tombstoneKeyBytes;
    if (isAsked) sorted.add(key, isGone ? new Uint8Array(0) : value.slice());
    return true;
  });
  if (wanted > last) throw new Error(errFutureRev.message);
  return wanted === 0 ? last : wanted;
}

async function* entriesOf(sorted: SortedRows): AsyncGenerator<Entry, void, undefined> {
  for (const { key, record } of sorted.rows()) {
    const { value, version, lease } = decodeKeyValue(record);
    yield await Promise.resolve({ key: fromBinaryString(key), value, version, lease });
  }
}
