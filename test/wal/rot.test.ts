import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/raft/types.ts";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import { stampOf } from "../../src/server/wal/format.ts";
import { parseSegmentName } from "../../src/server/wal/names.ts";
import { Recovery, WalCorruptError } from "../../src/server/wal/recover.ts";
import { entry, hardState, plain, WalWorld } from "./harness.ts";

/** A log of several segments, the first of them recycled, and what is in it. */
function buildLog(): { files: [string, Uint8Array][]; entries: string[] } {
  const world = new WalWorld(11);
  const { wal } = world.mustOpen({ segmentBytes: 3072, firstSegmentBytes: 3072 });
  const written: Entry[] = [];
  const append = (index: number, length: number): void => {
    const one = entry(index, 1 + (index >> 3), length);
    written.push(one);
    world.run(() => wal.append(hardState(one.term, index - 1), [one]));
    world.settle();
  };
  // Two segments that are released and used again, then the log that stays.
  for (let index = 1; index <= 10; index++) append(index, 400);
  const releasedTo = 8;
  wal.releaseTo(releasedTo);
  world.settle();
  for (let index = 11; index <= 24; index++) append(index, 40 + ((index * 97) % 700));
  assert.ok(wal.segmentCount >= 3, `${wal.segmentCount} segments`);
  const files = [...world.disk.files()]
    .filter(([path]) => path.endsWith(".wal"))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, bytes]): [string, Uint8Array] => [path, bytes.slice()]);
  const kept = plain(written.filter((e) => e.index >= wal.firstIndex));
  return { files, entries: kept };
}

function recover(files: readonly [string, Uint8Array][]): Recovery | WalCorruptError {
  const options = { checksum: nodeChecksum, clusterId: 0xcn, memberId: 0xffffffffffffffffn };
  const recovery = new Recovery({ ...options, keepFrom: 1 });
  try {
    for (const [path, bytes] of files) {
      const name = parseSegmentName(path.slice(path.lastIndexOf("/") + 1));
      assert.ok(name !== null);
      recovery.addSegment(name, path, bytes);
    }
    recovery.finish();
  } catch (error) {
    if (error instanceof WalCorruptError) return error;
    throw error;
  }
  return recovery;
}

function mustRecover(files: readonly [string, Uint8Array][]): Recovery {
  const result = recover(files);
  if (result instanceof WalCorruptError) throw result;
  return result;
}

const log = buildLog();

function withFile(position: number, bytes: Uint8Array): [string, Uint8Array][] {
  return log.files.map(([path, old], i) => [path, i === position ? bytes : old]);
}

test("the undamaged log is read whole", () => {
  const recovery = mustRecover(log.files);
  assert.deepEqual(plain(recovery.entries), log.entries);
  assert.deepEqual(recovery.hardState, hardState(4, 23));
});

test("a log cut at any byte keeps exactly the whole frames before the cut, or is refused", () => {
  let kept = 0;
  let refused = 0;
  for (let i = 0; i < log.files.length; i++) {
    const [path, whole] = log.files[i]!;
    let before = -1;
    for (let cut = 0; cut <= whole.length; cut++) {
      const files = [...log.files.slice(0, i), [path, whole.slice(0, cut)] as [string, Uint8Array]];
      const result = recover(files);
      if (result instanceof WalCorruptError) {
        // Only a segment without its header is refused: it was durable before it had its name.
        assert.ok(cut < 512, `cut of ${path} at ${cut}: ${result.message}`);
        refused++;
        continue;
      }
      const count = result.entries.length;
      assert.deepEqual(plain(result.entries), log.entries.slice(0, count));
      assert.ok(count >= before, `cut of ${path} at ${cut} kept less than at ${cut - 1}`);
      assert.ok(result.end <= Math.ceil(cut / 512) * 512, "nothing behind the cut was used");
      before = count;
      kept++;
    }
  }
  assert.ok(kept > 2000 && refused > 0);
  assert.equal(mustRecover(log.files).entries.length, log.entries.length);
});

test("a segment cut or missing before the newest one is refused", () => {
  for (let i = 0; i < log.files.length - 1; i++) {
    if (i > 0) {
      assert.ok(recover(log.files.filter((_, at) => at !== i)) instanceof WalCorruptError);
    }
    const [, whole] = log.files[i]!;
    const result = recover(withFile(i, whole.slice(0, 1024)));
    assert.ok(result instanceof WalCorruptError);
    assert.match(result.message, /continues after frame|can be read only/);
  }
});

test("any flipped byte is harmless or refused, in the last acknowledged frame too", () => {
  let refused = 0;
  let harmless = 0;
  for (let i = 0; i < log.files.length; i++) {
    const [path, whole] = log.files[i]!;
    const bytes = whole.slice();
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0xff]) {
        bytes[at]! ^= flip;
        const result = recover(withFile(i, bytes));
        bytes[at]! ^= flip;
        if (result instanceof WalCorruptError) {
          refused++;
          continue;
        }
        assert.deepEqual(plain(result.entries), log.entries, `byte ${at} of ${path}`);
        assert.deepEqual(result.hardState, hardState(4, 23));
        harmless++;
      }
    }
  }
  assert.ok(refused > 10_000, `${refused} refused`);
  assert.ok(harmless > 1000, `${harmless} harmless`);
});

test("zeros, garbage and stale frames behind the end are not data", () => {
  const last = log.files.length - 1;
  const [, whole] = log.files[last]!;
  const { end } = mustRecover(log.files);
  const contents: [string, (bytes: Uint8Array) => void][] = [
    ["zeros", (bytes) => bytes.fill(0)],
    ["ones", (bytes) => bytes.fill(0xff)],
    ["noise", (bytes) => bytes.forEach((_, i) => (bytes[i] = (i * 2654435761) >>> 13))],
    ["stale", (bytes) => bytes.set(log.files[0]![1].subarray(512, 512 + bytes.length))],
  ];
  for (const [name, fill] of contents) {
    const bytes = new Uint8Array(end + 2048);
    bytes.set(whole.subarray(0, end));
    fill(bytes.subarray(end));
    const recovery = mustRecover(withFile(last, bytes));
    assert.deepEqual(plain(recovery.entries), log.entries, name);
    assert.equal(recovery.end, end, name);
  }
});

test("an unfinished frame with a newer frame behind it is damage, not a tail", () => {
  const last = log.files.length - 1;
  const [path, whole] = log.files[last]!;
  const bytes = whole.slice();
  bytes.fill(0, 512, 1024); // the first frame of the newest segment loses its first sector
  const result = recover(withFile(last, bytes));
  assert.ok(result instanceof WalCorruptError);
  assert.match(result.message, /is damaged: frame \d+ follows it/);
  assert.ok(result.message.includes(path));
});

test("an intact frame of another history at the right place is refused", () => {
  const build = (length: number): [string, Uint8Array] => {
    const world = new WalWorld(11);
    const { wal } = world.mustOpen();
    for (const one of [entry(1, 1, length), entry(2, 1, 5)]) {
      world.run(() => wal.append(hardState(1, 0), [one]));
      world.settle();
    }
    const found = [...world.disk.files()].find(([path]) => path.endsWith(".wal"))!;
    return [found[0], found[1].slice()];
  };
  const [path, ours] = build(5);
  const [, theirs] = build(6);
  ours.set(theirs.subarray(1024, 1536), 1024); // the second frame, which follows another first one
  assert.match((recover([[path, ours]]) as Error).message, /does not follow the frame before it/);
});

test("a newer format, another member and a foreign file are refused by name", () => {
  const [[path, whole]] = log.files as [[string, Uint8Array]];
  const newer = whole.slice();
  new DataView(newer.buffer).setUint32(4, 3, true);
  assert.match((recover([[path, newer]]) as Error).message, /format version 3 is newer than 2/);
  const foreign = new Uint8Array(4096).fill(7);
  assert.match((recover([[path, foreign]]) as Error).message, /magic number is wrong/);
  const other = new Recovery({ checksum: nodeChecksum, clusterId: 1n, memberId: 2n, keepFrom: 1 });
  const name = parseSegmentName(path.slice(path.lastIndexOf("/") + 1))!;
  assert.throws(
    () => other.addSegment(name, path, whole),
    /belongs to member ffffffffffffffff of cluster c, not to member 2 of cluster 1/,
  );
});

test("stamps of neighbouring frames are far apart and never zero", () => {
  for (let sequence = 1; sequence < 5000; sequence++) {
    const stamp = stampOf(sequence, 99);
    assert.notEqual(stamp, 0);
    assert.notEqual(stamp, stampOf(sequence + 1, 99));
  }
});
