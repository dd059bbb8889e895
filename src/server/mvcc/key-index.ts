import { assert } from "../../base/assert.ts";
import type { ImageReader, ImageWriter } from "./image-blocks.ts";
import { sortKeyIds } from "./key-sort.ts";
import { KeyTable } from "./key-table.ts";
import { KeyTree } from "./key-tree.ts";
import { flagLease, flagTombstone, Records, segmentBits, segmentMask } from "./records.ts";

/**
 * The index: every key in order, each with its chain of revisions (etcd's treeIndex and keyIndex).
 *
 * K1  A key is in the table exactly while it has a record; in the tree too, outside a bulk load.
 * K2  A chain's revisions strictly fall from the head (R1). Versions and create revisions are
 *     stored per record, so a generation needs no object: it ends where a tombstone stands.
 * K3  A key is alive at a revision if its newest record at or below it is not a tombstone.
 */
export class KeyIndex {
  readonly keys: KeyTable;
  readonly tree: KeyTree;
  readonly records = new Records();
  #loading = false;

  constructor(hashSeed: number) {
    this.keys = new KeyTable(hashSeed);
    this.tree = new KeyTree(this.keys);
  }

  /**
   * The newest record of the key with main <= `revision`, tombstones included; 0 if none. The
   * revision is not below one that was pruned (R3).
   */
  recordAt(keyId: number, revision: number): number {
    const { segments, shortcuts } = this.records;
    let record = this.keys.head(keyId);
    while (record !== 0) {
      const segment = segments[record >>> segmentBits]!;
      const i = record & segmentMask;
      if (segment.main[i]! <= revision) return record;
      const shortcut = segment.depth[i] === 0 ? shortcuts.get(record) : undefined;
      const isUsed = shortcut !== undefined && shortcut.main > revision;
      record = isUsed ? shortcut.to : segment.previous[i]!;
    }
    return 0;
  }

  /** The record that makes the key alive at `revision` (K3); 0 if it is not. */
  liveAt(keyId: number, revision: number): number {
    const record = this.recordAt(keyId, revision);
    return record !== 0 && !this.records.isTombstone(record) ? record : 0;
  }

  /** As {@link liveAt} for a key by its bytes. */
  find(key: Uint8Array, revision: number): number {
    const id = this.keys.find(key);
    return id < 0 ? 0 : this.liveAt(id, revision);
  }

  /** The id of the key, added when unknown: only right before {@link push}. */
  ensure(key: Uint8Array): number {
    let id = this.keys.find(key);
    if (id < 0) {
      id = this.keys.add(key);
      if (!this.#loading) this.tree.insert(id, key);
    }
    return id;
  }

  /** Adds a record as the key's newest. Its value location is unset. */
  push(
    keyId: number,
    main: number,
    sub: number,
    create: number,
    version: number,
    flags: number,
  ): number {
    const { records, keys } = this;
    const head = keys.head(keyId);
    assert(
      head === 0 || records.main(head) < main || records.sub(head) < sub, // K2
      () => `revision ${String(main)}.${String(sub)} is not newer than the key's last`,
    );
    const record = records.allocate();
    const segment = records.segment(record);
    const i = record & segmentMask;
    segment.main[i] = main;
    segment.sub[i] = sub;
    segment.create[i] = create;
    segment.version[i] = version;
    segment.flags[i] = flags;
    segment.slab[i] = 0;
    records.link(record, head);
    keys.setHead(keyId, record);
    return record;
  }

  hasLease(record: number): boolean {
    return (this.records.flags(record) & flagLease) !== 0;
  }

  /** Between these calls keys are added without order; `endLoad` sorts them all at once. */
  beginLoad(): void {
    assert(this.keys.count === 0, "bulk load into an index in use");
    this.#loading = true;
  }

  endLoad(): void {
    this.#loading = false;
    const ids = new Uint32Array(this.keys.count);
    for (let i = 0; i < ids.length; i++) ids[i] = i; // ids of a fresh table have no gaps
    sortKeyIds(this.keys, ids);
    this.tree.build(ids);
  }

  save(out: ImageWriter): void {
    this.keys.save(out);
    this.records.save(out);
    this.tree.save(out);
  }

  /** Fills a new index. */
  load(image: ImageReader): void {
    assert(this.keys.count === 0, "image loaded into an index in use");
    this.keys.load(image);
    this.records.load(image);
    this.tree.load(image);
  }

  /** Forgets a key whose chain has become empty (K1). */
  removeKey(keyId: number): void {
    assert(this.keys.head(keyId) === 0, "key with records removed");
    this.tree.remove(this.keys.view(keyId));
    this.keys.remove(keyId);
  }

  /** The first record of the chain that compaction at `revision` may remove; 0 for none. */
  firstRemovable(keyId: number, revision: number): number {
    const newest = this.recordAt(keyId, revision);
    if (newest === 0) return 0;
    // The newest at or below the revision stays, unless it is a tombstone below it (etcd 18089).
    const { records } = this;
    const goes = (records.flags(newest) & flagTombstone) !== 0 && records.main(newest) < revision;
    return goes ? newest : records.previous(newest);
  }

  /** Cuts the chain before `record` and releases it and all older ones. */
  cut(keyId: number, record: number): void {
    const { records, keys } = this;
    let above = keys.head(keyId);
    if (above === record) keys.setHead(keyId, 0);
    else {
      while (records.previous(above) !== record) above = records.previous(above);
      records.segment(above).previous[above & segmentMask] = 0;
    }
    while (record !== 0) {
      const next = records.previous(record);
      records.release(record);
      record = next;
    }
  }
}
