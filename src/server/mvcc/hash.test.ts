import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../../base/etcd-errors.ts";
import { Rig } from "../../../test/mvcc/rig.ts";
import type { HashOutcome, KvHash } from "./hash.ts";

const cycle = 71;
const names = ["alice", "bob", "celine", "dominik", "eve", "frederica", "gorge"];

function pick(i: number): string {
  if (i % (cycle * 2) === 30) return "zenek";
  if (i % cycle === 30) return "xavery";
  return names[i % names.length]!;
}

function hashAt(rig: Rig, revision: number): KvHash {
  const outcome = rig.wait<HashOutcome>((done) => {
    rig.store.hashKv(revision, done);
  });
  assert.ok(!(outcome instanceof EtcdError));
  return outcome;
}

function tuple(hash: KvHash): number[] {
  return [hash.hash, hash.compactRevision, hash.hashRevision];
}

/** Numbers Go etcd 3.7.1 gives for the same writes: hash, compact revision, revision. */
const halfway = [
  [4082599214, -1, 35],
  [2279933401, 35, 106],
  [3284231217, 106, 177],
  [126286495, 177, 248],
  [900108730, 248, 319],
  [2475485232, 319, 390],
];
const newest = [
  [1913897190, -1, 73],
  [224860069, 73, 145],
  [1565167519, 145, 217],
  [1566261620, 217, 289],
  [2037173024, 289, 361],
  [691659396, 361, 433],
];

for (const [name, expected, at] of [
  ["halfway revisions", halfway, (rev: number) => rev + (cycle - 1) / 2],
  ["the newest revision", newest, () => 0],
] as const) {
  test(`HashKV at ${name} equals Go etcd's number between compactions`, () => {
    const rig = new Rig(undefined, { hashRowsPerTurn: 20, compactionBatchLimit: 30 });
    const got: number[][] = [];
    for (let rev = 0; got.length < expected.length; rev += cycle) {
      for (let i = rev; i <= rev + cycle; i++) rig.put(pick(i), String(i));
      const hash = hashAt(rig, at(rev));
      got.push(tuple(hash));
      assert.equal(rig.compact(hash.hashRevision), null);
    }
    assert.deepEqual(got, expected);
  });
}

test("HashKV of an empty store and after one put are the measured ones", () => {
  const rig = new Rig();
  assert.deepEqual(tuple(hashAt(rig, 0)), [1084519789, -1, 1]);
  rig.put("a", "1");
  assert.deepEqual(tuple(hashAt(rig, 0)), [2587454935, -1, 2]);
  assert.deepEqual(tuple(hashAt(rig, -3)), [1084519789, -1, -3]);
});

test("a compaction stores the hash that HashKV gave before it, across deletes", () => {
  const rig = new Rig(undefined, { hashRowsPerTurn: 7, compactionBatchLimit: 5 });
  for (let start = 0; start < 8 * cycle; start += cycle) {
    for (let i = start; i <= start + cycle; i++) {
      if (i % 67 === 0) rig.delete(pick(i + 83));
      else rig.put(pick(i), String(i));
    }
    const stop = rig.store.currentRevision - 1;
    const before = hashAt(rig, stop);
    assert.equal(rig.compact(stop), null);
    rig.settle();
    assert.deepEqual(hashAt(rig, stop), before);
  }
});

test("HashKV refuses compacted and future revisions", () => {
  const rig = new Rig();
  for (let i = 0; i < 5; i++) rig.put("k", String(i));
  rig.compact(4);
  const message = (revision: number): string => {
    const outcome = rig.wait<HashOutcome>((done) => {
      rig.store.hashKv(revision, done);
    });
    return outcome instanceof EtcdError ? outcome.message : "";
  };
  assert.equal(message(3), "etcdserver: mvcc: required revision has been compacted");
  assert.equal(message(7), "etcdserver: mvcc: required revision is a future revision");
});

test("with nothing left alive every stored row counts, as in Go etcd", () => {
  const rig = new Rig();
  rig.put("a", "1");
  rig.put("b", "1");
  rig.compact(3);
  rig.settle();
  rig.delete("a", "z");
  const all = hashAt(rig, 4);
  const fresh = new Rig();
  fresh.put("a", "1");
  fresh.put("b", "1");
  fresh.delete("a", "z");
  assert.equal(all.hash, hashAt(fresh, 4).hash);
});

test("Hash covers every bucket but not the volatile meta rows", () => {
  const rig = new Rig();
  const hash = (): number =>
    rig.wait<number>((done) => {
      rig.store.hash(done);
    });
  const empty = hash();
  rig.entry(null);
  assert.equal(hash(), empty);
  rig.writer.put("lease", new Uint8Array([1]), new Uint8Array([2]));
  assert.notEqual(hash(), empty);
});
