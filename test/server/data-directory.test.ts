// Data directories that are damaged, foreign or not writable. DAM1: the server serves all that was
// written, or ends with a line that says what is wrong and where; it never serves something else.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";

import { utf8 } from "../../src/base/bytes.ts";
import { methods, TestClient } from "./client.ts";
import type { Outcome, ServeOptions } from "./process.ts";
import { serve } from "./process.ts";

const keys = 20;
/** A user without rights. */
const nobody = 65_534;
const prefix = { key: utf8("k"), rangeEnd: utf8("l") };

let folder: string;
let whole: string;
let content: Content;

interface Content {
  readonly keys: number;
  readonly hash: number;
}

type Options = Partial<ServeOptions<Content>>;

/** Serves the directory, uses it if asked to, and answers what is in it. */
function start(
  dataDir: string,
  options: Options = {},
  use?: (client: TestClient) => Promise<void>,
): Promise<Outcome<Content>> {
  return serve({
    dataDir,
    ...options,
    use: async (url) => {
      const client = new TestClient(url.slice("http://".length));
      await use?.(client);
      const { kvs } = await client.must(methods.range, prefix);
      const { hash } = await client.must(methods.hashKv, {});
      client.close();
      return { keys: kvs.length, hash };
    },
  });
}

function assertRefused(outcome: Outcome<Content>, text: RegExp, what: string): void {
  assert.ok(outcome.kind === "ended", `${what}: served`);
  const told = `${what}: ${outcome.log.slice(-1000)}`;
  assert.equal(outcome.code, 1, told);
  const last = outcome.log.trim().split("\n").at(-1) ?? "";
  const { level, error } = JSON.parse(last) as { level: string; error: string };
  assert.equal(level, "fatal", told);
  assert.match(error, text, told);
}

let copies = 0;
function copyOfWhole(): string {
  const path = join(folder, `copy-${String(++copies)}`);
  fs.cpSync(whole, path, { recursive: true, mode: fs.constants.COPYFILE_FICLONE });
  return path;
}

before(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), "quorate-data-directory-"));
  fs.chmodSync(folder, 0o755);
  whole = join(folder, "whole");
  const outcome = await start(whole, { signal: "SIGTERM" }, async (client) => {
    for (let i = 0; i < keys; i++) {
      await client.must(methods.put, { key: utf8(`k${String(i)}`), value: new Uint8Array(500) });
    }
  });
  assert.ok(outcome.kind === "served" && outcome.value.keys === keys);
  content = outcome.value;
  // A spare segment is nothing but zeros.
  const wal = join(whole, "member/wal");
  for (const name of fs.readdirSync(wal)) if (name.startsWith("spare")) fs.rmSync(join(wal, name));
});

after(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

type Damage = (path: string) => void;

const flipAt =
  (...offsets: readonly number[]): Damage =>
  (path) => {
    const bytes = fs.readFileSync(path);
    for (const offset of offsets) bytes[offset]! ^= 0xff;
    fs.writeFileSync(path, bytes);
  };
const cutTo =
  (size: number): Damage =>
  (path) => {
    fs.truncateSync(path, size);
  };
const remove: Damage = (path) => {
  fs.rmSync(path);
};

const pageBytes = 4096; // of LMDB, and the padding of a WAL frame
const wal = "wal/0000000000000000-0000000000000001.wal";
const backend = "backend/data.mdb";
const unusable = /^Cannot use the data directory ".*": .*; wanted /;

/** File below `member`, the damage, and what a start says to it; null: it serves everything. */
const cases: readonly [file: string, name: string, damage: Damage, says: RegExp | null][] = [
  ["format", "missing", remove, /has .*identity.* but no format file/],
  ["format", "empty", cutTo(0), unusable],
  ["format", "cut", cutTo(4), unusable],
  ["format", "flipped", flipAt(5), unusable],
  ["identity", "missing", remove, /member\/identity" is missing/],
  ["identity", "empty", cutTo(0), unusable],
  ["identity", "cut", cutTo(20), unusable],
  ["identity", "flipped", flipAt(20), unusable],
  [wal, "missing", remove, /the WAL in ".*" ends at index 0, before the backend's/],
  [wal, "empty", cutTo(0), /^Cannot use WAL segment ".*": the header is cut off/],
  [wal, "cut", cutTo(5 * pageBytes), /the WAL in ".*" ends at index \d+, before the backend's/],
  [wal, "flipped", flipAt(10 * pageBytes + 80), /the frame at 40960 .* fails the checksum/],
  [backend, "missing", remove, null],
  [backend, "empty", cutTo(0), null],
  [backend, "cut", cutTo(5 * pageBytes), /^Cannot open the backend .*: the file has 20480 bytes/],
  [backend, "flipped", flipAt(24, pageBytes + 24), /^Cannot open the backend /],
  [`${backend}-lock`, "flipped", flipAt(20, 80), null],
];

suite("a data directory", { concurrency: 2 }, () => {
  for (const [file, name, damage, says] of cases) {
    test(`with ${file} ${name} is ${says === null ? "served whole" : "refused"}`, async () => {
      const path = copyOfWhole();
      damage(join(path, "member", file));
      const outcome = await start(path);
      if (says === null) assert.deepEqual(outcome, { kind: "served", value: content });
      else assertRefused(outcome, says, name);
    });
  }

  test("of etcd is left alone", async () => {
    const path = join(folder, "foreign");
    fs.mkdirSync(join(path, "member/snap"), { recursive: true, mode: 0o700 });
    fs.mkdirSync(join(path, "member/wal"));
    fs.writeFileSync(join(path, "member/snap/db"), "bolt");
    fs.writeFileSync(join(path, "member/wal/0000000000000000-0000000000000000.wal"), "wal");
    const before = fs.readdirSync(path, { recursive: true });
    assertRefused(await start(path), /it belongs to etcd; wanted another/, "foreign");
    assert.deepEqual(fs.readdirSync(path, { recursive: true }), before);
  });

  test("in use serves one process", async () => {
    const path = copyOfWhole();
    const first = await start(path, {}, async () => {
      assertRefused(await start(path), /in use by another process/, "second");
    });
    assert.deepEqual(first, { kind: "served", value: content });
  });

  test("that every user may write to is refused", async () => {
    const path = copyOfWhole();
    fs.chmodSync(path, 0o777);
    assertRefused(await start(path), /every user may write to it \(mode 0777\)/, "0777");
  });

  test("that is a file is refused", async () => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "");
    assertRefused(await start(path), /it is not a directory; wanted a directory/, "file");
  });

  test("that may not be written to is refused", async () => {
    const path = copyOfWhole();
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) fs.chmodSync(join(path, "member"), 0o500);
    const outcome = await start(path, isRoot ? { uid: nobody } : {});
    assertRefused(outcome, /EACCES: permission denied/, "not writable");
  });

  test("on a full disk is refused, and used when there is room again", async () => {
    const path = join(folder, "full");
    const launcher = ["bash", "-c", 'ulimit -f 1000; exec "$@"', "bash"];
    assertRefused(await start(path, { launcher }), /only 1024000 were written|EFBIG/, "full");
    const later = await start(path);
    assert.equal(later.kind, "served");
  });
});
