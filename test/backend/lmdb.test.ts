import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { takePrepared } from "../../src/server/backend/lmdb-prepared.ts";
import { backendContract, batchOf, close, commit, contractOn } from "./contract.ts";
import { imageContract } from "./image-contract.ts";
import { plainTurn } from "./plain-turn.ts";

const newDirectory = (): string => mkdtempSync(join(tmpdir(), "quorate-backend-"));

const contract = contractOn("LMDB", () => {
  const directory = newDirectory();
  return {
    open: () => openLmdbBackend({ directory, turn: plainTurn }),
    preparedPath: (name) => join(directory, name),
    takePrepared: (path) => takePrepared(directory, path),
    dispose: () => rmSync(directory, { recursive: true }),
  };
});
backendContract(contract, 10);
imageContract(contract);

const damage: Readonly<Record<string, (path: string, size: number) => void>> = {
  "cut in the middle": (path, size) => truncateSync(path, size / 2),
  "cut by a tenth": (path, size) => truncateSync(path, Math.floor(size * 0.9)),
  "cut to its head": (path) => truncateSync(path, 8192),
  "cut to less than its head": (path) => truncateSync(path, 4096),
  "of another kind": (path) => writeFileSync(path, "something else\n".repeat(10_000)),
};

for (const [title, spoil] of Object.entries(damage)) {
  test(`a database ${title} is refused, twice, and left as it is`, async () => {
    const directory = newDirectory();
    const path = join(directory, "data.mdb");
    const backend = openLmdbBackend({ directory, turn: plainTurn });
    const rows = Array.from({ length: 3000 }, (_, i) => ["key", `k${i}`, "v".repeat(200)] as const);
    await commit(backend, batchOf(rows));
    await close(backend);
    spoil(path, statSync(path).size);
    const size = statSync(path).size;
    for (let i = 0; i < 2; i++) {
      assert.throws(
        () => openLmdbBackend({ directory, turn: plainTurn }),
        /^Error: Cannot open the backend .*data\.mdb: .*; wanted an LMDB database of this server/,
      );
    }
    assert.equal(statSync(path).size, size);
    rmSync(directory, { recursive: true });
  });
}

test("what an interrupted defragment left is removed at open", async () => {
  const directory = newDirectory();
  for (const name of ["", "-lock", "-record"]) {
    writeFileSync(join(directory, `defragment-7.mdb${name}`), "left");
  }
  await close(openLmdbBackend({ directory, turn: plainTurn }));
  assert.deepEqual(readdirSync(directory).sort(), ["data.mdb", "data.mdb-lock"]);
  assert.equal(statSync(join(directory, "data.mdb")).mode & 0o777, 0o600);
  rmSync(directory, { recursive: true });
});
