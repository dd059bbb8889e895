import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import { openWal } from "../../src/server/wal/open.ts";
import { smallSettings, WalWorld } from "./harness.ts";

/** The directories that a new log in `directory` makes durable, in order. */
function syncedFor(directory: string): string[] {
  const world = new WalWorld(1);
  const disk = world.disk.portFor(world.life);
  const synced: string[] = [];
  let outcome: Error | null | undefined;
  world.run(() => {
    openWal(
      {
        disk: {
          ...disk,
          syncDir: (path, done) => {
            synced.push(path);
            disk.syncDir(path, done);
          },
        },
        ...{ checksum: nodeChecksum, random: world.random.fork("nonce"), directory },
        ...{ clusterId: 1n, memberId: 1n, keepFrom: 1, settings: smallSettings },
        ...{ now: () => 0, durable: () => {}, failed: () => {} },
      },
      (error) => {
        outcome = error;
      },
    );
  });
  world.settle();
  assert.equal(outcome, null);
  return synced.filter((path) => path !== directory);
}

test("a new log makes its directory durable in those above it, wherever it is", () => {
  assert.deepEqual(syncedFor("/data/member/wal"), ["/data/member", "/data"]);
  assert.deepEqual(syncedFor("/wal"), ["/", "/"]);
  assert.deepEqual(syncedFor("wal"), [".", "."]);
  assert.deepEqual(syncedFor("data/wal"), ["data", "."]);
});
