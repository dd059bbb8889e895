import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { LogFields, Logger } from "../base/log.ts";
import { nodeDirectory } from "../io/node-directory.ts";
import { DataDirError, openDataDir } from "./data-dir.ts";
import type { DataDir, DirectoryFiles } from "./data-dir.ts";

interface Rig {
  readonly path: string;
  readonly warnings: string[];
  open(files?: DirectoryFiles, isFree?: boolean): DataDir;
  put(name: string, text?: string): void;
}

function inDirectory(run: (rig: Rig) => void): void {
  const parent = mkdtempSync(join(tmpdir(), "quorate-data-"));
  const path = join(parent, "data");
  const warnings: string[] = [];
  const warn = (_: string, fields?: LogFields): void =>
    void warnings.push(String(fields?.["error"]));
  const log: Logger = { ...console, warn, fatal: () => assert.fail("fatal") };
  try {
    run({
      path,
      warnings,
      open: (files = nodeDirectory, isFree = true) =>
        openDataDir({ path, files, log, lock: () => (isFree ? { release: () => {} } : null) }),
      put(name, text = "x") {
        mkdirSync(dirname(join(path, name)), { recursive: true, mode: 0o700 });
        writeFileSync(join(path, name), text);
      },
    });
  } finally {
    rmSync(parent, { recursive: true });
  }
}

const ids = { clusterId: 0xcdf818194e3a8c32n, memberId: 1n };

test("a new data directory is made with mode 0700 and remembers who it is", () =>
  inDirectory((rig) => {
    const first = rig.open();
    assert.equal(first.identity, null);
    first.saveIdentity(ids);
    assert.deepEqual(rig.open().identity, ids);
    assert.equal(statSync(rig.path).mode & 0o777, 0o700);
    const names = readdirSync(join(rig.path, "member")).sort();
    assert.deepEqual(names, ["backend", "format", "identity"]);
    assert.deepEqual(rig.warnings, []);
  }));

test("a start that was cut short before the format file was written can be repeated", () =>
  inDirectory((rig) => {
    rig.put("member/lock");
    rig.put("member/format.tmp", "quo");
    assert.equal(rig.open().identity, null);
  }));

test("a directory that others may read is used with a warning", () =>
  inDirectory((rig) => {
    mkdirSync(rig.path);
    chmodSync(rig.path, 0o755);
    rig.open();
    assert.match(rig.warnings[0] ?? "", /the permission is "0755"/);
  }));

const unusable: Readonly<Record<string, [(rig: Rig) => void, RegExp]>> = {
  "every user may write to": [
    ({ path }) => {
      mkdirSync(path);
      chmodSync(path, 0o777);
    },
    /every user may write to it \(mode 0777\); wanted mode 0700/,
  ],
  "is a file": [({ path }) => writeFileSync(path, ""), /it is not a directory/],
  "belongs to etcd by its database": [
    ({ put }) => put("member/snap/db"),
    /it belongs to etcd; wanted another directory \(`quorate utl import-etcd`/,
  ],
  "belongs to etcd by its log": [
    ({ put }) => put("member/wal/0000000000000000-0000000000000000.wal"),
    /it belongs to etcd/,
  ],
  "has foreign files": [({ put }) => put("member/notes.txt"), /has notes.txt but no format file/],
  "has a member that is a file": [({ put }) => put("member"), /member" is not a directory/],
  "is of a newer format": [
    ({ put }) => put("member/format", "quorate 2\n"),
    /format is version 2, written by a newer version of this program; wanted version 1 at most/,
  ],
  "has a damaged format file": [
    ({ put }) => put("member/format", "quorate "),
    /its format file says "quorate "/,
  ],
  "has a damaged identity": [
    ({ put }) => {
      put("member/format", "quorate 1\n");
      put("member/identity", "cluster 1\n");
    },
    /its identity file says/,
  ],
  "lost its identity": [
    ({ put }) => {
      put("member/format", "quorate 1\n");
      put("member/backend/data.mdb");
    },
    /identity" is missing/,
  ],
};

for (const [title, [prepare, expected]] of Object.entries(unusable)) {
  test(`a data directory that ${title} is refused and left alone`, () =>
    inDirectory((rig) => {
      prepare(rig);
      const before = namesBelow(rig.path);
      assert.throws(
        () => rig.open(),
        (error) => error instanceof DataDirError && expected.test(error.message),
      );
      if (!title.includes("identity")) assert.deepEqual(namesBelow(rig.path), before);
    }));
}

test("a directory in use, and one that cannot be written, say so", () =>
  inDirectory((rig) => {
    assert.throws(() => rig.open(nodeDirectory, false), /it is in use by another process/);
    const denied: DirectoryFiles = {
      ...nodeDirectory,
      makeDirectory() {
        throw new Error("EACCES: permission denied, mkdir");
      },
    };
    assert.throws(
      () => rig.open(denied),
      /"\/.*": EACCES: permission denied, mkdir; wanted a directory that this process may read/,
    );
  }));

function namesBelow(path: string): string[] {
  return statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: "utf8" })
    : [];
}
