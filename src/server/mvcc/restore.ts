import { KvScanner } from "./kv-bytes.ts";
import { keyFinishedCompact, keyScheduledCompact } from "./compaction.ts";
import type { IndexImage } from "./index-image.ts";
import { flagLease, flagTombstone } from "./records.ts";
import { isTombstoneKey, revisionMain, revisionStart, revisionSub } from "./revision.ts";
import type { KvStore } from "./store.ts";

export interface RestoredCompaction {
  readonly scheduled: number | null;
  readonly finished: number | null;
}

/**
 * Fills the index from its image if there is one of this state, else from the rows of the view, in
 * revision order, and attaches keys to their leases. The first revision seen of a key brings its
 * own create revision and version, so a compacted history needs no special case; a tombstone may
 * come first too (etcd 19179).
 */
export function restore(store: KvStore, image: IndexImage | null): RestoredCompaction {
  const { view, index } = store;
  const finished = readRevision(store, keyFinishedCompact);
  const scheduled = readRevision(store, keyScheduledCompact);
  if (finished !== null) store.compactRevision = finished;

  if (image?.load(store) === "loaded") return { scheduled, finished };

  const kv = new KvScanner();
  const leases = new Map<number, bigint>();
  let last = 1;
  index.beginLoad();
  view.range("key", revisionStart(1), null, (key, value) => {
    last = revisionMain(key);
    kv.scan(value, 0, value.length);
    const keyId = index.ensure(keyIn(value, kv));
    const isTombstone = isTombstoneKey(key);
    const flags = isTombstone ? flagTombstone : kv.hasLease ? flagLease : 0;
    const head = index.keys.head(keyId);
    if ((flags & flagLease) !== 0) leases.set(keyId, kv.lease);
    else if (head !== 0 && index.hasLease(head)) leases.delete(keyId);
    index.push(keyId, last, revisionSub(key), kv.create, kv.version, flags);
    return true;
  });
  index.endLoad();
  // A compaction may have removed the newest rows, a tombstone's (etcd 17780).
  store.currentRevision = Math.max(last, finished ?? 0, scheduled ?? 0);
  attachLeases(store, leases);
  return { scheduled, finished };
}

const shortKeyMax = 128;
const shortKeys: Uint8Array[] = [];

/** The key's bytes, valid until the next call: a view per row would cost more than a short copy. */
function keyIn(value: Uint8Array, { keyStart, keyEnd }: KvScanner): Uint8Array {
  const length = keyEnd - keyStart;
  if (length > shortKeyMax) return value.subarray(keyStart, keyEnd);
  const key = (shortKeys[length] ??= new Uint8Array(length));
  for (let i = 0; i < length; i++) key[i] = value[keyStart + i]!;
  return key;
}

function attachLeases(store: KvStore, leases: ReadonlyMap<number, bigint>): void {
  const { deps, index } = store;
  for (const [keyId, lease] of leases) {
    if (deps.leases.exists(lease)) deps.leases.attach(lease, index.keys.copy(keyId));
    else deps.log.error("failed to attach a lease", { "lease-id": lease.toString(16) });
  }
}

function readRevision(store: KvStore, key: Uint8Array): number | null {
  const row = store.view.get("meta", key);
  return row === null ? null : revisionMain(row);
}
