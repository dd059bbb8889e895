import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryImageFile } from "../../../test/mvcc/memory-image-file.ts";
import { rangeRequest, resultKvs, Rig } from "../../../test/mvcc/rig.ts";
import { nodeChecksum } from "../../io/node-checksum.ts";
import { IndexImage } from "./index-image.ts";
import { flagLease } from "./records.ts";
import type { KvStore } from "./store.ts";
import type { RangeResult } from "./types.ts";

const file = new MemoryImageFile();

function imageOf(place: MemoryImageFile, memberId = 2n): IndexImage {
  return new IndexImage({
    ...{ file: place, checksum: nodeChecksum, clusterId: 1n, memberId, recordsMin: 0 },
  });
}

/** Everything that a store answers from, with the leases. */
function pictureOf(rig: Rig): unknown {
  const { store } = rig;
  const { keys, records, tree } = store.index;
  const index = tree.leaves.flatMap(({ ids, count }) =>
    [...ids.subarray(0, count)].map((id) => {
      const chain: number[][] = [];
      for (let record = keys.head(id); record !== 0; record = records.previous(record)) {
        const flags = record === keys.head(id) ? records.flags(record) : 0;
        const parts = [records.main(record), records.sub(record), records.create(record)];
        chain.push([...parts, records.version(record), flags & flagLease]);
      }
      return { key: [...keys.view(id)], found: keys.find(keys.copy(id)) === id, chain };
    }),
  );
  const range = store.range(rangeRequest("\0", "\0")) as RangeResult;
  const leases = [...rig.leases.byKey].sort();
  const counts = [keys.count, records.count, store.currentRevision, store.compactRevision];
  return { index, leases, counts, kvs: resultKvs(range) };
}

/** Two restarts on what is durable: by reading all rows, and from the image just written. */
function bothRestarts(rig: Rig, place = file): { scanned: Rig; loaded: Rig; saved: boolean } {
  rig.settle();
  place.bytes = null;
  imageOf(place).save(rig.store);
  const saved = place.bytes !== null;
  return { scanned: rig.restart(), loaded: rig.restart(0, imageOf(place)), saved };
}

const key = fc.constantFrom("a", "ab", "b", "ba", "c\0", "\xff", "k".repeat(40), "");
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("put"), key, n: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("delete"), key, n: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("compact"), key, n: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("restart"), key, n: fc.nat(1) }) },
);
type Step = { op: string; key: string; n: number };

function run(rig: Rig, { op, key: name, n }: Step): Rig {
  if (op === "put") rig.put(name, "v".repeat(n), BigInt(n));
  else if (op === "delete") rig.delete(name, n === 1 ? "\0" : "");
  else if (op === "compact") rig.compact(rig.store.currentRevision - n);
  else return n === 0 ? bothRestarts(rig).scanned : bothRestarts(rig).loaded;
  return rig;
}

test("a store from its image equals one from the rows, and goes on like it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(step, { maxLength: 8 }), (a, b) => {
      let rig = new Rig();
      for (const each of a) rig = run(rig, each);
      const { scanned, loaded, saved } = bothRestarts(rig);
      assert.ok(saved);
      assert.equal(file.bytes, null);
      assert.deepEqual(pictureOf(loaded), pictureOf(scanned));
      for (const each of b.filter(({ op }) => op !== "restart")) {
        run(scanned, each);
        run(loaded, each);
        scanned.settle();
        loaded.settle();
      }
      assert.deepEqual(pictureOf(loaded), pictureOf(scanned));
    }),
    { numRuns: 60 },
  );
});

test("many keys, long chains with shortcuts and freed places come back", () => {
  let rig = new Rig();
  for (let i = 0; i < 3000; i++) rig.put(`key/${(i * 7919) % 1500}`, "v", BigInt(i % 3));
  for (let i = 0; i < 700; i++) rig.put("often", "v");
  for (let i = 0; i < 300; i++) rig.delete(`key/${i}`);
  rig.compact(3500);
  rig.settle();
  const { scanned, loaded } = bothRestarts(rig);
  const picture = pictureOf(scanned);
  assert.deepEqual(pictureOf(loaded), picture);
  assert.ok(loaded.store.index.records.shortcuts.size > 0);
  rig = bothRestarts(loaded).loaded;
  assert.deepEqual(pictureOf(rig), picture);
});

function filled(): Rig {
  const rig = new Rig();
  for (let i = 0; i < 20; i++) rig.put(`key${i}`, "value", BigInt(i % 2));
  rig.settle();
  return rig;
}

/** What the load says of the image in `place`, on what `rig` has durable. */
function loadedFrom(rig: Rig, place: MemoryImageFile, memberId = 2n): string {
  let outcome = "";
  const image = imageOf(place, memberId);
  const spy = {
    load: (store: KvStore) => (outcome = image.load(store)),
  } as unknown as IndexImage;
  const after = rig.restart(0, spy);
  assert.equal(after.store.index.keys.count, rig.store.index.keys.count);
  return outcome;
}

test("any changed byte, cut or addition is noticed, and the rows are read", () => {
  const rig = filled();
  imageOf(file).save(rig.store);
  const whole = file.bytes!;
  const { length } = whole;
  const ignores = (bytes: Uint8Array): void => {
    file.bytes = bytes;
    assert.equal(loadedFrom(rig, file), "ignored");
    assert.equal(file.bytes, null);
  };
  const places = [0, 1, 4, 8, 11, 12, 30, 60, length - 1, length - 5, length - 9, length - 13];
  for (let i = 0; i < 40; i++) places.push(Math.floor((length * (i + 0.5)) / 40));
  for (const at of places) {
    const changed = whole.slice();
    changed[at]! ^= 1 << (at % 8);
    ignores(changed);
    ignores(whole.slice(0, at));
  }
  ignores(new Uint8Array(length));
  const longer = new Uint8Array(length + 1);
  longer.set(whole);
  ignores(longer);
  file.bytes = whole;
  assert.equal(loadedFrom(rig, file), "loaded");
});

test("an image of another state or member is ignored", () => {
  const rig = filled();
  const save = (): void => {
    imageOf(file).save(rig.store);
  };
  save();
  assert.equal(loadedFrom(rig, file, 3n), "ignored");
  save();
  rig.entry(null); // an entry without rows moves the consistent index alone
  rig.settle();
  assert.equal(loadedFrom(rig, file), "ignored");
  save();
  rig.put("key1", "newer");
  rig.settle();
  assert.equal(loadedFrom(rig, file), "ignored");
  save();
  assert.equal(loadedFrom(rig, file), "loaded");
});

test("no image is written while rows wait or a compaction is unfinished", () => {
  const rig = filled();
  rig.put("waits", "v");
  imageOf(file).save(rig.store);
  assert.equal(file.bytes, null);
  rig.settle();
  rig.store.pin(3); // a read that the compaction waits for
  rig.compact(5);
  rig.settle();
  assert.equal(rig.writer.overlayBytes, 0);
  imageOf(file).save(rig.store);
  assert.equal(file.bytes, null);
  rig.store.unpin(3);
  rig.settle();
  imageOf(file).save(rig.store);
  assert.equal(loadedFrom(rig, file), "loaded");
});

test("the image is gone before the store can commit anything", () => {
  const rig = filled();
  imageOf(file).save(rig.store);
  const after = rig.restart(0, imageOf(file));
  assert.equal(file.bytes, null);
  assert.ok(file.removals > 0);
  after.put("key1", "newer");
  after.settle();
  const crashed = after.restart(0, imageOf(file));
  assert.equal(crashed.store.currentRevision, after.store.currentRevision);
});

test("an image that cannot be removed ends the start", () => {
  const rig = filled();
  const stuck = new MemoryImageFile();
  imageOf(stuck).save(rig.store);
  stuck.remove = () => {
    throw new Error("read-only");
  };
  assert.throws(() => rig.restart(0, imageOf(stuck)), /read-only/);
});

test("a failure to write is a warning, and what was written is removed if possible", () => {
  const rig = filled();
  const full = new MemoryImageFile();
  full.bytesMax = 1000;
  imageOf(full).save(rig.store);
  assert.equal(full.bytes, null);
  full.remove = () => {
    throw new Error("read-only");
  };
  imageOf(full).save(rig.store);
  file.bytes = full.bytes;
  assert.equal(file.bytes!.length, 1000);
  assert.equal(loadedFrom(rig, file), "ignored");
});
