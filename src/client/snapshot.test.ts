import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { FakeCaller } from "../../test/client/fake-caller.ts";
import { SnapshotResponseSchema } from "../gen/rpc_pb.js";
import { EtcdError } from "./errors.ts";
import { MaintenanceArea } from "./maintenance.ts";
import { SnapshotDamagedError, type SnapshotProgress } from "./snapshot.ts";

/** Whole pages, as a database is. */
const database = new Uint8Array(3 * 512).map((_, i) => i % 251);
const checksum = createHash("sha256").update(database).digest();

/** Answers with these blobs, then ends or fails. */
function member(blobs: readonly Uint8Array[], end: Error | null = null): MaintenanceArea {
  const caller = new FakeCaller(
    () => new Uint8Array(0),
    (stream) => {
      let remaining = blobs.reduce((sum, blob) => sum + blob.length, 0);
      for (const blob of blobs) {
        remaining -= blob.length;
        const answer = { blob, remainingBytes: BigInt(remaining), version: "3.6.0" };
        const schema = SnapshotResponseSchema;
        stream.receive(toBinary(schema, create(schema, answer)));
      }
      stream.finish(end);
    },
  );
  return new MaintenanceArea(caller);
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-snapshot-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a snapshot is saved whole, for its owner only, with its checksum behind it", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "db");
    const progress: SnapshotProgress[] = [];
    const blobs = [database.subarray(0, 700), database.subarray(700), checksum];
    const saved = await member(blobs)
      .snapshot()
      .saveTo(path, { onProgress: (at) => progress.push(at) });
    assert.deepEqual(saved, { bytes: 1568, version: "3.6.0" });
    assert.deepEqual(readFileSync(path), Buffer.concat([database, checksum]));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ["db"]);
    assert.deepEqual(progress, [
      { receivedBytes: 700, remainingBytes: 868 },
      { receivedBytes: 1536, remainingBytes: 32 },
      { receivedBytes: 1568, remainingBytes: 0 },
    ]);
  });
});

test("a damaged or unfinished snapshot leaves the file of before as it was", async () => {
  const flipped = Uint8Array.from(database);
  flipped[9]! ^= 1;
  const damaged: [MaintenanceArea, abstract new (...of: never[]) => EtcdError][] = [
    [member([flipped, checksum]), SnapshotDamagedError],
    [member([database]), SnapshotDamagedError],
    [member([]), SnapshotDamagedError],
    [member([database], new EtcdError(14, "connection lost")), EtcdError],
  ];
  await inFolder(async (folder) => {
    const path = join(folder, "db");
    writeFileSync(path, "the one of yesterday");
    for (const [maintenance, type] of damaged) {
      await assert.rejects(maintenance.snapshot().saveTo(path), type);
      assert.deepEqual(readdirSync(folder), ["db"]);
      assert.equal(readFileSync(path, "utf8"), "the one of yesterday");
    }
  });
});

test("the chunks of a snapshot can be read one by one", async () => {
  const got: [number, number, string][] = [];
  for await (const { blob, remainingBytes, version } of member([database, checksum]).snapshot()) {
    got.push([blob.length, remainingBytes, version]);
  }
  assert.deepEqual(got, [
    [1536, 32, "3.6.0"],
    [32, 0, "3.6.0"],
  ]);
});
