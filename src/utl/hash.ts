/** Hashes over the rows of a database that nobody writes: HashKV, and one over everything. */
import { emptyBytes, utf8 } from "../base/bytes.ts";
import { nodeChecksum } from "../io/node-checksum.ts";
import { KvScanner } from "../server/mvcc/kv-bytes.ts";
import { ContentReader } from "../server/mvcc/restore.ts";
import { isTombstoneKey, revisionMain, revisionSub } from "../server/mvcc/revision.ts";
import type { Database } from "./database.ts";

export interface KvHash {
  readonly hash: number;
  readonly hashRevision: number;
  readonly compactRevision: number;
}

/** Of a store that was never compacted. */
const notCompacted = -1;

/**
 * HashKV as etcd's servers and tools compute it; `revision` 0 is the newest. Throws etcd's
 * text for a revision that was compacted or is not there yet.
 */
export function hashKv({ view }: Database, revision = 0): KvHash {
  const content = new ContentReader(view, 0);
  content.step(Infinity);
  const { index, compaction, lastRevision } = content;
  const compactRevision = Math.max(
    compaction.finished ?? notCompacted,
    compaction.scheduled ?? notCompacted,
  );
  const current = Math.max(lastRevision, compactRevision);
  if (revision > 0 && revision < compactRevision) {
    throw new Error("mvcc: required revision has been compacted");
  }
  if (revision > current) throw new Error("mvcc: required revision is a future revision");
  const hashRevision = revision === 0 ? current : revision;
  const scanner = new KvScanner();
  const { crc32c } = nodeChecksum;
  let all = crc32c(utf8("key"), 0);
  let kept = all;
  let isAnyAlive = false;
  const isAlive = (key: Uint8Array, main: number, value: Uint8Array): boolean => {
    scanner.scan(value, 0, value.length);
    const id = index.keys.find(value.subarray(scanner.keyStart, scanner.keyEnd));
    const record = id < 0 ? 0 : index.liveAt(id, hashRevision);
    if (record === 0) return false;
    return index.records.main(record) === main && index.records.sub(record) === revisionSub(key);
  };
  view.range("key", emptyBytes, null, (key, value) => {
    const main = revisionMain(key);
    if (main > hashRevision) return false;
    const isOld = main <= compactRevision;
    const isKept = (isOld || !isAnyAlive) && isAlive(key, main, value);
    isAnyAlive ||= isKept;
    // Older servers removed the tombstone of the compact revision itself: never counted.
    if (main === compactRevision && isTombstoneKey(key)) return true;
    all = crc32c(value, crc32c(key, all));
    if (!isOld || isKept) kept = crc32c(value, crc32c(key, kept));
    return true;
  });
  // etcd: where a compaction would keep nothing, every row counts.
  return { hash: isAnyAlive ? kept : all, hashRevision, compactRevision };
}

/** CRC-32C over every row of every bucket; empty buckets and missing ones are alike. */
export function hashRows({ bucketNames, view }: Database): number {
  let sum = 0;
  for (const name of bucketNames) {
    let isNamed = false;
    view.range(name, emptyBytes, null, (key, value) => {
      if (!isNamed) sum = nodeChecksum.crc32c(utf8(name), sum);
      isNamed = true;
      sum = nodeChecksum.crc32c(value, nodeChecksum.crc32c(key, sum));
      return true;
    });
  }
  return sum;
}
