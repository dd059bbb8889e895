import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Disk, Done, File, OpenMode } from "../base/ports.ts";
import { createNodeDisk } from "./node-disk.ts";

const root = mkdtempSync(join(tmpdir(), "quorate-disk-"));
after(() => {
  rmSync(root, { recursive: true });
});

function wait<T>(begin: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    begin((error, value) => {
      if (error === null || error === undefined) resolve(value);
      else reject(error);
    });
  });
}

function open(disk: Disk, path: string, mode: OpenMode): Promise<File> {
  return wait((done) => {
    disk.open(path, mode, done);
  });
}

for (const unsafeNoFsync of [false, true]) {
  test(`files are written, read, renamed, removed (unsafeNoFsync ${unsafeNoFsync})`, async () => {
    const disk = createNodeDisk({ unsafeNoFsync });
    const directory = join(root, `d${unsafeNoFsync}`, "deep");
    await wait((done) => {
      disk.mkdir(directory, done);
    });
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    const path = join(directory, "a");
    const file = await open(disk, path, "create");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await wait((done) => {
      file.writeDurable(3, new Uint8Array([1, 2, 3]), done);
    });
    file.writeDurableNow(6, new Uint8Array([4]));
    await wait((done) => {
      file.write(0, new Uint8Array([9]), done);
    });
    await wait((done) => {
      file.sync(done);
    });
    const bytes = await wait<Uint8Array>((done) => {
      file.read(0, 100, done);
    });
    assert.deepEqual([...bytes], [9, 0, 0, 1, 2, 3, 4]);
    await wait((done) => {
      file.truncate(4, done);
    });
    const size = await wait<number>((done) => {
      file.size(done);
    });
    assert.equal(size, 4);
    await wait((done) => {
      disk.rename(path, join(directory, "b"), done);
    });
    await wait((done) => {
      file.writeDurable(0, new Uint8Array([7]), done);
    });
    await wait((done) => {
      disk.syncDir(directory, done);
    });
    const list = await wait<string[]>((done) => {
      disk.list(directory, done);
    });
    assert.deepEqual(list, ["b"]);
    await wait((done) => {
      file.close(done);
    });
    await wait((done) => {
      disk.remove(join(directory, "b"), done);
    });
  });
}

test("failures are reported, not thrown", async () => {
  const disk = createNodeDisk();
  const missing = join(root, "missing");
  await assert.rejects(open(disk, missing, "read"), /ENOENT/);
  await assert.rejects(open(disk, missing, "write"), /ENOENT/);
  const file = await open(disk, join(root, "f"), "create");
  await wait((done) => {
    file.close(done);
  });
  const readOnly = await open(disk, join(root, "f"), "read");
  const failed = wait((done) => {
    readOnly.writeDurable(0, new Uint8Array(1), done);
  });
  await assert.rejects(failed, /EBADF/);
  assert.throws(() => {
    readOnly.writeDurableNow(0, new Uint8Array(1));
  }, /EBADF/);
  await wait((done) => {
    readOnly.close(done);
  });
});
