import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { batchOf, close, commit, defragment, rowsOf, withView } from "../backend/contract.ts";
import { plainTurn } from "../backend/plain-turn.ts";

// Kills at every phase of defragment are in test/backend/kill.test.ts.
// Seen to fail when openLmdbBackend() does not remove what is left: the next
// defragmentation finds an old copy in its way and fails.
test("etcd 11613 (row 2): what a crash left of a defragmentation is never data", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-regress-"));
  const open = () => openLmdbBackend({ directory, turn: plainTurn });
  const first = open();
  await commit(first, batchOf([["key", "a", "old"]], 1));
  await close(first);
  // Whole and valid databases of an earlier state, under the names of this and later runs.
  for (let i = 0; i < 4; i++) {
    copyFileSync(join(directory, "data.mdb"), join(directory, `defragment-${i}.mdb`));
  }
  const second = open();
  const names = readdirSync(directory).sort();
  await commit(second, batchOf([["key", "a", "new"]], 2));
  await defragment(second);
  await commit(second, batchOf([["key", "b", "newer"]], 3));
  await close(second);
  const third = open();
  assert.deepEqual(withView(third, rowsOf), {
    key: [
      ["a", "new"],
      ["b", "newer"],
    ],
  });
  await close(third);
  assert.deepEqual(names, ["data.mdb", "data.mdb-lock"]);
  rmSync(directory, { recursive: true });
});
