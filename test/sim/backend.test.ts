import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRandom } from "../../src/base/random.ts";
import type { Backend } from "../../src/server/backend/backend.ts";
import { batchOf, close, commit } from "../backend/contract.ts";
import { createQuickClock } from "../backend/quick-clock.ts";
import { SimBackendDisk } from "./backend.ts";

const key = (text: string): Uint8Array => new TextEncoder().encode(text);

function rig(seed: number): { disk: SimBackendDisk; open: () => Backend } {
  const disk = new SimBackendDisk();
  const clock = createQuickClock();
  const random = createRandom(seed);
  return { disk, open: () => disk.open({ clock, random }) };
}

function indexOf(backend: Backend): number {
  const view = backend.view();
  const { consistentIndex } = view;
  view.close();
  return consistentIndex;
}

test("a crash keeps a prefix of commits, never less than what was reported", () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(8), fc.nat(8), async (seed, waited, more) => {
      const { disk, open } = rig(seed);
      const backend = open();
      for (let i = 1; i <= waited; i++) await commit(backend, batchOf([], i));
      for (let i = 1; i <= more; i++) backend.commit(batchOf([], waited + i), () => {});
      disk.crash(createRandom(seed));
      const found = indexOf(open());
      assert.ok(found >= waited && found <= waited + more, `${found} of ${waited}+${more}`);
    }),
    { numRuns: 200 },
  ));

test("every prefix that a crash may keep is kept sometimes", () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    const { disk, open } = rig(seed);
    const backend = open();
    for (let i = 1; i <= 3; i++) backend.commit(batchOf([], i), () => assert.fail("after crash"));
    disk.crash(createRandom(seed));
    seen.add(indexOf(open()));
  }
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3]);
});

test("a failed commit and all after it fail; it may be there after the crash or not", async () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    const { disk, open } = rig(seed);
    const backend = open();
    await commit(backend, batchOf([], 1));
    disk.failCommit(2);
    await commit(backend, batchOf([], 2));
    await assert.rejects(commit(backend, batchOf([], 3)), /simulated commit failure/);
    await assert.rejects(commit(backend, batchOf([], 4)), /simulated commit failure/);
    disk.crash(createRandom(seed));
    seen.add(indexOf(open()));
  }
  assert.deepEqual([...seen].sort(), [2, 3]);
});

test("a full disk fails commits until it is mended and the member restarted", async () => {
  const { disk, open } = rig(1);
  const backend = open();
  disk.setBytesMax(200);
  await commit(backend, batchOf([["key", "a", "x"]], 1));
  await assert.rejects(commit(backend, batchOf([["key", "b", "x".repeat(300)]])), /disk is full/);
  disk.setBytesMax(Infinity);
  await assert.rejects(commit(backend, batchOf([["key", "c", "x"]])), /disk is full/);
  disk.crash(createRandom(1));
  const again = open();
  await commit(again, batchOf([["key", "c", "x"]], 2));
  await close(again);
});

test("rows can be lost, flipped and wiped while it is stopped", async () => {
  const { disk, open } = rig(1);
  const first = open();
  await commit(
    first,
    batchOf(
      [
        ["key", "a", "A"],
        ["key", "b", "B"],
      ],
      5,
    ),
  );
  await close(first);
  disk.loseRow("key", key("a"));
  disk.flipRow("key", key("b"), 0);
  const second = open();
  const view = second.view();
  assert.equal(view.get("key", key("a")), null);
  assert.deepEqual(view.get("key", key("b")), key("C"));
  await close(second);
  disk.wipe();
  assert.equal(indexOf(open()), 0);
});
