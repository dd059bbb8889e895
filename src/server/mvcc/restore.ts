import type { View } from "../backend/backend.ts";
import { KvScanner } from "./kv-bytes.ts";
import { keyFinishedCompact, keyScheduledCompact } from "./compaction.ts";
import type { IndexImage } from "./index-image.ts";
import { KeyIndex } from "./key-index.ts";
import { flagLease, flagTombstone } from "./records.ts";
import { isTombstoneKey, revisionMain, revisionStart, revisionSub } from "./revision.ts";
import type { KvStore } from "./store.ts";

export interface RestoredCompaction {
  readonly scheduled: number | null;
  readonly finished: number | null;
}

/** Fills the store from the image of its index if there is one of this state, else from the view. */
export function restore(store: KvStore, image: IndexImage | null): RestoredCompaction {
  const compaction = readCompaction(store.view);
  if (compaction.finished !== null) store.compactRevision = compaction.finished;
  if (image?.load(store) === "loaded") return compaction;
  const content = new ContentReader(store.view, store.deps.hashSeed);
  content.step(Infinity);
  adopt(store, content);
  return content.compaction;
}

/** Takes over what was read, all of it, and attaches keys to their leases. */
export function adopt(store: KvStore, content: ContentReader): void {
  const { index, leases, compaction, lastRevision } = content;
  const { finished, scheduled } = compaction;
  store.index = index;
  store.compactRevision = finished ?? -1;
  // A compaction may have removed the newest rows, a tombstone's (etcd 17780).
  store.currentRevision = Math.max(lastRevision, finished ?? 0, scheduled ?? 0);
  attachLeases(store, leases);
}

/**
 * Makes an index of the rows of one view, in revision order and in steps. The first revision seen
 * of a key brings its own create revision and version, so a compacted history needs no special
 * case; a tombstone may come first too (etcd 19179).
 */
export class ContentReader {
  readonly index: KeyIndex;
  /** The leases of keys by their ids. */
  readonly leases = new Map<number, bigint>();
  readonly compaction: RestoredCompaction;
  /** Of the rows read so far. */
  lastRevision = 1;
  readonly #view: View;
  readonly #kv = new KvScanner();
  #from: Uint8Array = revisionStart(1);

  constructor(view: View, hashSeed: number) {
    this.#view = view;
    this.index = new KeyIndex(hashSeed);
    this.compaction = readCompaction(view);
    this.index.beginLoad();
  }

  /** Reads `rowsMax` more rows at most; true when all were read: not to be called again then. */
  step(rowsMax: number): boolean {
    let left = rowsMax;
    this.#view.range("key", this.#from, null, (key, value) => {
      this.#add(key, value);
      if (--left > 0) return true;
      this.#from = new Uint8Array(key.length + 1); // the next key there could be
      this.#from.set(key);
      return false;
    });
    if (left === 0) return false;
    this.index.endLoad();
    return true;
  }

  #add(key: Uint8Array, value: Uint8Array): void {
    const { index, leases } = this;
    const kv = this.#kv;
    const main = revisionMain(key);
    this.lastRevision = main;
    kv.scan(value, 0, value.length);
    const keyId = index.ensure(keyIn(value, kv));
    const flags = isTombstoneKey(key) ? flagTombstone : kv.hasLease ? flagLease : 0;
    const head = index.keys.head(keyId);
    if ((flags & flagLease) !== 0) leases.set(keyId, kv.lease);
    else if (head !== 0 && index.hasLease(head)) leases.delete(keyId);
    index.push(keyId, main, revisionSub(key), kv.create, kv.version, flags);
  }
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

function readCompaction(view: View): RestoredCompaction {
  const read = (key: Uint8Array): number | null => {
    const row = view.get("meta", key);
    return row === null ? null : revisionMain(row);
  };
  return { scheduled: read(keyScheduledCompact), finished: read(keyFinishedCompact) };
}
