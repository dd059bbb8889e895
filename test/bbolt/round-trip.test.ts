import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare, concat, fromBinaryString } from "../../src/base/bytes.ts";
import { BoltError } from "../../src/bbolt/format.ts";
import { branchCounts } from "../../src/bbolt/levels.ts";
import { contentOf, fileOf, MemorySource, piecesOf, planOf } from "./files.ts";
import type { Content } from "./files.ts";

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  compare(fromBinaryString(a[0]), fromBinaryString(b[0]));

const character = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));

/** Short keys, and some so long that few of them fill a page. */
const key = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: character, minLength: 1, maxLength: 20 }) },
  { weight: 1, arbitrary: fc.nat(6000).map((n) => `${n}`.padEnd(n + 1, "k")) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: character, maxLength: 40 }) },
  { weight: 2, arbitrary: fc.nat(5000).map((n) => "v".repeat(n)) },
  { weight: 1, arbitrary: fc.nat(40_000).map((n) => "w".repeat(n)) },
);
const rows = fc
  .uniqueArray(fc.tuple(key, value), { selector: ([k]) => k, maxLength: 120 })
  .map((all) => all.toSorted(byName));
const content: fc.Arbitrary<Content> = fc
  .uniqueArray(fc.tuple(fc.string({ unit: character, minLength: 1, maxLength: 9 }), rows), {
    selector: ([name]) => name,
    maxLength: 5,
  })
  .map((all) => all.toSorted(byName));

test("what the writer lays out the reader reads, in pieces of any size", () => {
  fc.assert(
    fc.property(content, fc.integer({ min: 1, max: 20_000 }), (wanted, pieceBytes) => {
      const pieces = piecesOf(wanted, pieceBytes);
      const file = concat(pieces);
      assert.equal(file.length, planOf(wanted).sizeBytes);
      assert.ok(pieces.slice(0, -1).every((piece) => piece.length === pieceBytes));
      assert.deepEqual(contentOf(new MemorySource(file)), wanted);
    }),
    { numRuns: 60 },
  );
});

test("a bucket of many rows has several levels and is read page by page", () => {
  const many = Array.from(
    { length: 30_000 },
    (_, i) => [`key-${String(i).padStart(8, "0")}`, "v".repeat(i % 90)] as const,
  );
  const wanted: Content = [
    ["empty", []],
    ["key", many],
    ["last", [["a", "1"]]],
  ];
  const source = new MemorySource(fileOf(wanted));
  assert.deepEqual(contentOf(source), wanted);
  assert.equal(source.largest, 4096);
});

test("no branch page has a single child", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 2, maxLength: 400 });
  fc.assert(
    fc.property(lengths, (all) => {
      const counts = branchCounts(all);
      assert.ok(counts.every((count) => count >= 2));
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        all.length,
      );
    }),
  );
});

const sample: Content = [
  ["empty", []],
  [
    "key",
    Array.from({ length: 400 }, (_, i) => [`k${String(i).padStart(4, "0")}`, "v".repeat(60)]),
  ],
  [
    "large",
    [
      ["a", "x".repeat(9000)],
      ["b", "y".repeat(300_000)],
    ],
  ],
];
const sound = fileOf(sample);

/** Reads it all: the content, or the error, which is of the right kind. */
function outcome(file: Uint8Array): Content | string {
  const source = new MemorySource(file);
  try {
    return contentOf(source);
  } catch (error) {
    assert.ok(error instanceof BoltError, String(error));
    return error.message;
  } finally {
    assert.ok(source.reads < 2000, "far more reads than the file has pages");
    assert.ok(source.largest <= file.length);
  }
}

test("a file with wrong bytes gives rows or a typed error, whatever they are", () => {
  const places = fc.oneof(
    fc.nat(sound.length - 1),
    // Heads and elements of pages, where the numbers are.
    fc.tuple(fc.nat(sound.length / 4096 - 1), fc.nat(64)).map(([page, at]) => page * 4096 + at),
  );
  const changes = fc.array(fc.tuple(places, fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 255))), {
    minLength: 1,
    maxLength: 8,
  });
  const seen = new Set<string>();
  fc.assert(
    fc.property(changes, (all) => {
      const file = sound.slice();
      for (const [at, byte] of all) file[at] = byte;
      const got = outcome(file);
      if (typeof got === "string") seen.add(got.replace(/\d+/g, "N"));
    }),
    { numRuns: 800, seed: 7 },
  );
  assert.ok(seen.size >= 6, `kinds of damage found: ${[...seen].join("; ")}`);
});

test("random bytes behind sound meta pages give rows or a typed error", () => {
  const head = sound.subarray(0, 8192);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (page) => {
      const file = new Uint8Array(sound.length);
      for (let at = 0; at < file.length; at += 4096) file.set(page, at);
      file.set(head);
      outcome(file);
    }),
    { numRuns: 300 },
  );
});

test("a file cut anywhere is refused", () => {
  fc.assert(
    fc.property(fc.nat(sound.length - 1), (length) => {
      assert.equal(typeof outcome(sound.subarray(0, length)), "string");
    }),
    { numRuns: 200 },
  );
});

/** Copies of the file with one number of a page replaced. */
function withU64(page: number, at: number, number: number): Uint8Array {
  const file = sound.slice();
  new DataView(file.buffer).setBigUint64(page * 4096 + at, BigInt(number), true);
  return file;
}

const u64 = (page: number, at: number): number =>
  Number(new DataView(sound.buffer).getBigUint64(page * 4096 + at, true));

test("a branch that is its own child, or has one twice, is refused", () => {
  const branch = sound.length / 4096 - 1;
  const pages = Array.from({ length: branch }, (_, i) => i + 2);
  const id = pages.find((page) => sound[page * 4096 + 8] === 1);
  assert.ok(id !== undefined, "no branch page");
  const firstChild = 16 + 8;
  assert.match(String(outcome(withU64(id, firstChild, id))), /too deep|out of order/);
  const twice = withU64(id, firstChild + 16, u64(id, firstChild));
  assert.match(String(outcome(twice)), /keys out of order/);
});

test("the newest sound meta page is used, the other one if that is damaged", () => {
  for (const page of [0, 1]) {
    const file = sound.slice();
    file.fill(0, page * 4096, page * 4096 + 80);
    assert.deepEqual(outcome(file), sample);
  }
  const neither = sound.slice();
  neither.fill(0, 0, 80);
  neither.fill(0, 4096, 4176);
  assert.equal(outcome(neither), "no sound meta page: it is not a bbolt file");
});

test("bytes behind the last page do not count", () => {
  assert.deepEqual(outcome(concat([sound, new Uint8Array(32)])), sample);
});
