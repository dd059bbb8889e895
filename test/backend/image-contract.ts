import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { concat, fromBinaryString, toBinaryString, utf8 } from "../../src/base/bytes.ts";
import { buckets } from "../../src/server/backend/backend.ts";
import type { Backend } from "../../src/server/backend/backend.ts";
import type { ImageExport, ImageHead, ImageImport } from "../../src/server/backend/image.ts";
import { contentOf, fileOf, MemorySource } from "../bbolt/files.ts";
import type { Contract, Write } from "./contract.ts";
import { batchOf, close, commit, defragment, rowsOf, whenDone, withView } from "./contract.ts";

const u64Text = (value: number): string =>
  String.fromCharCode(...new Uint8Array(new BigUint64Array([BigInt(value)]).buffer).reverse());

/** The key of a row of the `key` bucket. */
const revision = (main: number): string => `${u64Text(main)}_${u64Text(0)}`;

export const openExport = (backend: Backend): Promise<ImageExport> =>
  new Promise((resolve, reject) => {
    backend.exportImage((error, made) => (error === null ? resolve(made) : reject(error)));
  });

export function readPiece(from: ImageExport): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    from.read((error, piece) => (error === null ? resolve(piece) : reject(error)));
  });
}

async function readRest(from: ImageExport): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = await readPiece(from);
    if (piece === null) return concat(pieces);
    pieces.push(piece);
  }
}

export async function exported(backend: Backend): Promise<Uint8Array> {
  const made = await openExport(backend);
  const file = await readRest(made);
  assert.equal(file.length, made.sizeBytes);
  assert.deepEqual(made.sha256, new Uint8Array(createHash("sha256").update(file).digest()));
  made.close();
  return file;
}

export async function fill(
  into: ImageImport,
  file: Uint8Array,
  pieceBytes = 50_000,
): Promise<void> {
  for (let at = 0; at < file.length; at += pieceBytes) {
    await whenDone((done) => into.write(file.subarray(at, at + pieceBytes), done));
  }
}

export const endImport = (into: ImageImport): Promise<ImageHead> =>
  new Promise((resolve, reject) => {
    into.end((error, head) => (error === null ? resolve(head) : reject(error)));
  });

async function prepare(backend: Backend, path: string, file: Uint8Array): Promise<ImageHead> {
  const into = backend.importImage(path);
  await fill(into, file);
  return endImport(into);
}

const replace = (backend: Backend, path: string): Promise<void> =>
  whenDone((done) => backend.replace(path, done));

/** Rows of a state that a member could have, its `key` rows up to a revision. */
function stateAt(index: number, keys: number): Write[] {
  const rows = Array.from({ length: keys }, (_, i): Write => [
    "key",
    revision(i + 2),
    `value ${index} `.repeat((i % 50) + 1),
  ]);
  return [
    ...rows,
    ["key", revision(keys + 2), "x".repeat(50_000)],
    ["meta", "term", u64Text(3)],
    ["meta", "confState", '{"voters":[1]}'],
    ["meta", "storageVersion", "3.7.0"],
    ["members", "1", "{}"],
    ["members_removed", "ff", "removed"],
    ["auth", "authRevision", u64Text(1)],
    ["authUsers", "root", "user"],
    ["alarm", "a", ""],
  ];
}

const head = (index: number, keys: number): ImageHead => ({
  consistentIndex: index,
  term: 3,
  revision: keys + 2,
  confState: utf8('{"voters":[1]}'),
  storageVersion: utf8("3.7.0"),
  members: [utf8("{}")],
  removed: [utf8("ff")],
});

/** Runs the contract of `ImageBackend`. */
export function imageContract(contract: Contract): void {
  exportContract(contract);
  importContract(contract);
  replaceContract(contract);
}

function exportContract(contract: Contract): void {
  void contract("a database file has all buckets and shows one moment", async (backend) => {
    await commit(backend, batchOf(stateAt(7, 5000), 7));
    const rows = withView(backend, rowsOf);
    const made = await openExport(backend);
    assert.deepEqual(made.head, head(7, 5000));
    const first = await readPiece(made);
    await commit(backend, batchOf([["key", revision(3), "changed"]], 8));
    const file = concat([first!, await readRest(made)]);
    made.close();
    assert.equal(file.length, made.sizeBytes);
    const content = contentOf(new MemorySource(file));
    assert.deepEqual(
      content.map(([name]) => name),
      [...buckets].sort(),
    );
    const found = content
      .map(([name, all]) => [name, all.filter(([key]) => key !== "consistent_index")] as const)
      .filter(([, all]) => all.length > 0);
    assert.deepEqual(Object.fromEntries(found), rows);
    await close(backend);
  });

  void contract("an empty database has a file, and files at the same time are equal", async (b) => {
    const made = await openExport(b);
    assert.equal(made.head.revision, 1);
    assert.equal(made.head.consistentIndex, 0);
    const files = await Promise.all([exported(b), readRest(made), exported(b)]);
    assert.deepEqual(files[1], files[0]);
    assert.deepEqual(files[2], files[0]);
    made.close();
    await close(b);
  });

  void contract("a database file may be given up at any time", async (backend, harness) => {
    await commit(backend, batchOf(stateAt(7, 3000), 7));
    const given = await openExport(backend);
    await readPiece(given);
    given.close();
    given.close();
    await new Promise<void>((resolve) => {
      backend.exportImage((_error, made) => {
        made.close();
        resolve();
      });
    });
    // This one is still open when the backend closes.
    await openExport(backend);
    await close(backend);
    await close(harness.open());
  });
}

function importContract(contract: Contract): void {
  void contract(
    "a damaged database file is refused and leaves nothing",
    async (backend, harness) => {
      await commit(backend, batchOf(stateAt(7, 300), 7));
      const file = await exported(backend);
      const path = harness.preparedPath("next");
      const damaged = file.slice();
      damaged[3 * 4096]! ^= 0xff;
      const foreign = fileOf([["something", [["a", "b"]]]]);
      const noRevision = fileOf([
        ["key", [["a", "b"]]],
        ["meta", []],
      ]);
      for (const bad of [damaged, file.subarray(0, file.length - 4096), foreign, noRevision]) {
        await assert.rejects(prepare(backend, path, bad));
        await assert.rejects(replace(backend, path), /there is no prepared environment/);
      }
      backend.importImage(path).abort();
      assert.equal(
        withView(backend, (view) => view.consistentIndex),
        7,
      );
      await close(backend);
      assert.equal(harness.takePrepared(path), false);
    },
  );

  void contract("what was prepared may be taken at the next start", async (backend, harness) => {
    const path = harness.preparedPath("next");
    await commit(backend, batchOf(stateAt(7, 2000), 7));
    const rows = withView(backend, rowsOf);
    const file = await exported(backend);
    await commit(backend, batchOf([["key", revision(3), null]], 8));
    assert.deepEqual(await prepare(backend, path, file), head(7, 2000));
    await close(backend);
    assert.equal(harness.takePrepared(path), true);
    assert.equal(harness.takePrepared(path), false);
    const again = harness.open();
    assert.deepEqual(withView(again, rowsOf), rows);
    assert.equal(
      withView(again, (view) => view.consistentIndex),
      7,
    );
    await commit(again, batchOf([["key", revision(9000), "more"]], 9));
    await close(again);
  });
}

function replaceContract(contract: Contract): void {
  void contract("a prepared environment replaces the database", async (backend, harness) => {
    const path = harness.preparedPath("next");
    await commit(backend, batchOf(stateAt(20, 2000), 20));
    const [newRows, file] = [withView(backend, rowsOf), await exported(backend)];
    await commit(
      backend,
      batchOf(
        [
          ["key", revision(2), "old"],
          ["lease", "l", "old"],
        ],
        5,
      ),
    );
    const old = backend.view();
    const oldRows = rowsOf(old);
    await prepare(backend, path, file);
    assert.deepEqual(withView(backend, rowsOf), oldRows);
    await replace(backend, path);
    assert.deepEqual(withView(backend, rowsOf), newRows);
    assert.equal(
      withView(backend, (view) => view.consistentIndex),
      20,
    );
    await commit(backend, batchOf([["key", revision(5000), "after"]], 21));
    assert.deepEqual(rowsOf(old), oldRows);
    old.close();
    await close(backend);
    const again = harness.open();
    assert.equal(
      withView(again, (view) => view.consistentIndex),
      21,
    );
    assert.equal(
      toBinaryString(withView(again, (v) => v.get("key", fromBinaryString(revision(5000)))!)),
      "after",
    );
    await close(again);
  });

  void contract(
    "etcd-18055 (row 13): replaces back to back end in the last one",
    async (b, harness) => {
      const views = [];
      for (let index = 10; index < 14; index++) {
        await commit(b, batchOf(stateAt(index, 100), index));
        const path = harness.preparedPath(`${index}.next`);
        await prepare(b, path, await exported(b));
        await commit(b, batchOf([["lease", "l", String(index)]], index - 5));
        views.push(b.view());
        await replace(b, path);
        assert.equal(
          withView(b, (view) => view.consistentIndex),
          index,
        );
        assert.equal(
          withView(b, (view) => view.get("lease", utf8("l"))),
          null,
        );
      }
      assert.deepEqual(
        views.map((view) => toBinaryString(view.get("lease", utf8("l"))!)),
        ["10", "11", "12", "13"],
      );
      for (const view of views) view.close();
      await close(b);
    },
  );

  void contract(
    "etcd-20271 (row 12): defragment and replace at once both end",
    async (backend, harness) => {
      const path = harness.preparedPath("next");
      await commit(backend, batchOf(stateAt(30, 1000), 30));
      const file = await exported(backend);
      const rows = withView(backend, rowsOf);
      for (const defragmentsFirst of [true, false]) {
        await commit(backend, batchOf([["key", revision(2), "old"]], 5));
        await prepare(backend, path, file);
        const ends: Promise<unknown>[] = [];
        if (defragmentsFirst) ends.push(defragment(backend).catch(() => {}));
        ends.push(replace(backend, path));
        if (!defragmentsFirst) ends.push(defragment(backend));
        await Promise.all(ends);
        assert.deepEqual(withView(backend, rowsOf), rows);
      }
      await commit(backend, batchOf([["key", revision(6000), "x"]], 31));
      await close(backend);
      const again = harness.open();
      assert.equal(
        withView(again, (view) => view.consistentIndex),
        31,
      );
      await close(again);
    },
  );

  void contract(
    "a database file begun before a replace shows the old state",
    async (b, harness) => {
      const path = harness.preparedPath("next");
      await commit(b, batchOf(stateAt(30, 1000), 30));
      await prepare(b, path, await exported(b));
      await commit(b, batchOf([["key", revision(2), "old"]], 40));
      const rows = withView(b, rowsOf);
      const made = await openExport(b);
      await replace(b, path);
      const content = contentOf(new MemorySource(await readRest(made)));
      assert.equal(made.head.consistentIndex, 40);
      const keys = content.find(([name]) => name === "key");
      assert.deepEqual(keys?.[1], rows.key);
      made.close();
      await close(b);
    },
  );
}
