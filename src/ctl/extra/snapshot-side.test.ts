import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { concat, utf8 } from "../../base/bytes.ts";
import { BoltError } from "../../bbolt/format.ts";
import { BoltPlanner } from "../../bbolt/plan.ts";
import { BoltWriter } from "../../bbolt/writer.ts";
import { encodeKeyValue } from "../../codec/kv.ts";
import { Writer } from "../../codec/writer.ts";
import { openSnapshot } from "./snapshot-side.ts";

const folder = mkdtempSync(join(tmpdir(), "ctl-snapshot-"));
after(() => {
  rmSync(folder, { recursive: true });
});

type Rows = [Uint8Array, Uint8Array][];

function revision(main: number, isTombstone = false): Uint8Array {
  const key = new Uint8Array(isTombstone ? 18 : 17);
  new DataView(key.buffer).setBigUint64(0, BigInt(main));
  key[8] = 0x5f;
  if (isTombstone) key[17] = 0x74;
  return key;
}

function put(key: string, main: number, version: number, value: string): Rows[number] {
  const out = new Writer();
  encodeKeyValue(out, {
    ...{ key: utf8(key), value: utf8(value), createRevision: 2 },
    ...{ modRevision: main, version, lease: 5n },
  });
  return [revision(main), out.copy()];
}

function remove(key: string, main: number): Rows[number] {
  const [, value] = put(key, main, 0, "");
  return [revision(main, true), value];
}

function snapshotFile(name: string, keys: Rows, compacted: number): string {
  const meta: Rows = [[utf8("finishedCompactRev"), revision(compacted)]];
  const all: [string, Rows][] = [
    ["key", keys],
    ["meta", meta],
  ];
  const planner = new BoltPlanner();
  for (const [bucket, rows] of all) {
    planner.bucket(utf8(bucket));
    for (const [key, value] of rows) planner.row(key.length, value.length);
  }
  const pieces: Uint8Array[] = [];
  const take = (piece: Uint8Array): void => void pieces.push(piece.slice());
  const writer = new BoltWriter({ plan: planner.end(), pieceBytes: 1 << 16, take });
  for (const [bucket, rows] of all) {
    writer.bucket(utf8(bucket));
    for (const [key, value] of rows) writer.row(key, value);
  }
  writer.end();
  const path = join(folder, name);
  writeFileSync(path, concat(pieces));
  return path;
}

const path = snapshotFile(
  "a.db",
  [
    ...[put("z", 4, 1, "old"), put("a", 5, 1, "1"), put("b/x", 6, 1, "2")],
    ...[put("z", 7, 2, "new"), remove("a", 8), put("c", 9, 1, "3")],
  ],
  4,
);

async function shown(prefix: string, at: number, memoryBytesMax?: number): Promise<string> {
  const side = openSnapshot(path, utf8(prefix), at, memoryBytesMax);
  const lines: string[] = [];
  for await (const { key, value, version, lease } of side.entries()) {
    const texts = [key, value].map((bytes) => new TextDecoder().decode(bytes));
    lines.push(`${texts.join("=")} v${version} l${lease}`);
  }
  side.close();
  return `${side.revision}: ${lines.join(", ")}`;
}

test("a snapshot's keys come in order, at the newest revision or an older one", async () => {
  const newest = "9: b/x=2 v1 l5, c=3 v1 l5, z=new v2 l5";
  assert.equal(await shown("", 0), newest);
  assert.equal(await shown("", 0, 1), newest); // every row by a file of its own
  assert.equal(await shown("", 6), "6: a=1 v1 l5, b/x=2 v1 l5, z=old v1 l5");
  assert.equal(await shown("b/", 0), "9: b/x=2 v1 l5");
  assert.equal(await shown("q", 0), "9: ");
});

test("a revision that the snapshot does not have is refused in etcd's words", () => {
  assert.throws(() => openSnapshot(path, utf8(""), 3), /required revision has been compacted/);
  assert.throws(() => openSnapshot(path, utf8(""), 10), /required revision is a future revision/);
});

test("a file that is no snapshot is told as such", () => {
  const other = join(folder, "other");
  writeFileSync(other, "no snapshot");
  assert.throws(() => openSnapshot(other, utf8(""), 0), BoltError);
});
