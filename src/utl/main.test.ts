import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { concat, utf8 } from "../base/bytes.ts";
import { BoltPlanner } from "../bbolt/plan.ts";
import { BoltWriter } from "../bbolt/writer.ts";
import { runProgram } from "../cli/run.ts";
import { encodeKv } from "../server/mvcc/kv-bytes.ts";
import { encodeRevision } from "../server/mvcc/revision.ts";
import { utlProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "utl-"));
after(() => {
  rmSync(folder, { recursive: true });
});
const at = (name: string): string => join(folder, name);

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

async function utl(...line: string[]): Promise<Ran> {
  let out = "";
  let err = "";
  const output = {
    out: (text: string | Uint8Array) => (out += String(text)),
    err: (text: string) => (err += text),
  };
  const context = { wallMs: () => Date.UTC(2026, 0, 1) };
  const code = await runProgram(utlProgram("etcdutl"), line, output, context);
  return { out, err, code };
}

/** Row keys as texts of latin letters and their values, in order. */
type Rows = [Uint8Array, Uint8Array][];

function row(key: string, main: number, version: number, isTombstone = false): Rows[number] {
  const value = isTombstone
    ? encodeKv({ key: utf8(key), create: 0, mod: 0, version: 0, value: utf8(""), lease: 0n })
    : encodeKv({ key: utf8(key), create: 2, mod: main, version, value: utf8("v"), lease: 0n });
  return [encodeRevision(main, 0, isTombstone), value];
}

const number = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  bytes[7] = value;
  return bytes;
};

/** A database file with two live keys at revision 5, compacted at 3, with its hash behind it. */
function snapshotFile(name: string): string {
  const buckets: [string, Rows][] = [
    ["key", [row("a", 2, 1), row("b", 3, 1), row("gone", 4, 1), row("gone", 5, 0, true)]],
    ["lease", []],
    [
      "meta",
      [
        [utf8("confState"), utf8('{"voters":[1],"auto_leave":false}')],
        [utf8("consistent_index"), number(9)],
        [utf8("finishedCompactRev"), encodeRevision(3, 0, false)],
        [utf8("storageVersion"), utf8("3.7.0")],
        [utf8("term"), number(2)],
      ],
    ],
  ];
  const planner = new BoltPlanner();
  for (const [bucket, rows] of buckets) {
    planner.bucket(utf8(bucket));
    for (const [key, value] of rows) planner.row(key.length, value.length);
  }
  const pieces: Uint8Array[] = [];
  const writer = new BoltWriter({
    plan: planner.end(),
    pieceBytes: 1 << 20,
    take: (piece) => pieces.push(piece),
  });
  for (const [bucket, rows] of buckets) {
    writer.bucket(utf8(bucket));
    for (const [key, value] of rows) writer.row(key, value);
  }
  writer.end();
  const content = concat(pieces);
  const path = at(name);
  writeFileSync(path, concat([content, createHash("sha256").update(content).digest()]));
  return path;
}

test("a file's status and hash are told in every format", async () => {
  const file = snapshotFile("one.db");
  const status = JSON.parse((await utl("snapshot", "status", file, "-w", "json")).out) as {
    hash: number;
  };
  const hash = status.hash;
  assert.deepEqual(status, { hash, revision: 5, totalKey: 2, totalSize: 20480, version: "3.7.0" });
  assert.deepEqual(await utl("snapshot", "status", file), {
    out: `${hash.toString(16)}, 5, 2, 20 kB, 3.7.0\n`,
    err: "",
    code: 0,
  });
  assert.match((await utl("hashkv", file, "-w", "table")).out, /│ HASH REVISION │ COMPACT/);
  assert.match((await utl("hashkv", file)).out, /^\d+, 5, 3\n$/);
  const fields = /^"Hash" : \d+\n"Hash revision" : 4\n"Compact revision" : 3\n$/;
  assert.match((await utl("hashkv", file, "--rev", "4", "-w", "fields")).out, fields);
  assert.deepEqual(await utl("hashkv", file, "--rev", "2"), {
    out: "",
    err: "Error: mvcc: required revision has been compacted\n",
    code: 1,
  });
  assert.deepEqual(await utl("hashkv", file, "-w", "protobuf"), {
    out: "",
    err: "Error: protobuf not supported as output format\n",
    code: 4,
  });
});

test("a restored directory has the keys of the file, and goes to etcd and back", async () => {
  const file = snapshotFile("two.db");
  const [ours, theirs, again] = [at("ours"), at("theirs"), at("again")];
  const { out: hash } = await utl("hashkv", file);
  assert.equal((await utl("snapshot", "restore", file, "--data-dir", ours)).code, 0);
  assert.equal((await utl("hashkv", ours)).out, hash);
  const { out: verified, code } = await utl("verify", "--data-dir", ours, "-w", "json");
  assert.equal(code, 0);
  const figures = JSON.parse(verified) as Record<string, number>;
  assert.deepEqual([figures["consistentIndex"], figures["lastIndex"], figures["rows"]], [1, 1, 4]);
  assert.equal((await utl("export-etcd", "--data-dir", ours, "--to", theirs)).code, 0);
  assert.equal((await utl("hashkv", join(theirs, "member", "snap", "db"))).out, hash);
  assert.equal((await utl("import-etcd", "--from", theirs, "--data-dir", again)).code, 0);
  assert.equal((await utl("hashkv", again)).out, hash);
  const identity = (path: string): string => readFileSync(join(path, "member/identity"), "utf8");
  assert.equal(identity(again), identity(ours));
});

test("a restore can raise the revision and mark what was before as compacted", async () => {
  const file = snapshotFile("three.db");
  const raised = ["--bump-revision", "100", "--mark-compacted"];
  await utl("snapshot", "restore", file, "--data-dir", at("raised"), ...raised);
  assert.match((await utl("hashkv", at("raised"))).out, /^\d+, 105, 105\n$/);
  const half = await utl("snapshot", "restore", file, "--bump-revision", "1");
  assert.deepEqual(half, {
    out: "",
    err: "Error: --mark-compacted required if --revision-bump > 0\n",
    code: 128,
  });
});

test("a file that is not as it was saved is not restored, unless asked for", async () => {
  const file = snapshotFile("four.db");
  const bytes = new Uint8Array(readFileSync(file));
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  const target = at("none");
  const refused = await utl("snapshot", "restore", file, "--data-dir", target);
  assert.match(refused.err, /\nError: expected sha256 \[\d+ .*\], got \[\d+ .*\]\n$/);
  const skipped = ["--data-dir", target, "--skip-hash-check"];
  assert.equal((await utl("snapshot", "restore", file, ...skipped)).code, 0);
  const full = await utl("snapshot", "restore", file, ...skipped);
  assert.equal(full.err, `Error: data-dir "${target}" not empty or could not be read\n`);
});

test("migrate writes the storage version, of our directories and of etcd's", async () => {
  const file = snapshotFile("five.db");
  const [ours, theirs] = [at("ours5"), at("theirs5")];
  await utl("snapshot", "restore", file, "--data-dir", ours);
  await utl("export-etcd", "--data-dir", ours, "--to", theirs);
  const version = async (path: string): Promise<unknown> =>
    (JSON.parse((await utl("snapshot", "status", path, "-w", "json")).out) as { version: string })
      .version;
  for (const [dir, path] of [
    [ours, ours],
    [theirs, join(theirs, "member", "snap", "db")],
  ] as const) {
    const migrate = (...more: string[]): Promise<Ran> =>
      utl("migrate", "--data-dir", dir, "--target-version", ...more);
    const { out: hash } = await utl("hashkv", path);
    assert.equal((await migrate("3.5")).code, 0);
    assert.equal(await version(path), "");
    assert.equal((await migrate("3.6")).code, 0);
    assert.equal(await version(path), "3.6.0");
    const far = await migrate("3.9");
    const error = 'Error: cannot create migration plan: version "3.8.0" is not supported\n';
    assert.deepEqual([far.err, far.code], [error, 1]);
    assert.equal((await migrate("3.9", "--force")).code, 0);
    assert.equal(await version(path), "3.9.0");
    assert.equal((await utl("defrag", "--data-dir", dir)).code, 0);
    assert.equal((await utl("hashkv", path)).out, hash);
  }
});

test("verify tells a missing log and one that is of another member", async () => {
  const file = snapshotFile("six.db");
  const [ours, other] = [at("ours6"), at("other6")];
  const members = "default=http://localhost:2380,b=http://localhost:2381";
  const two = ["--initial-cluster", members, "--wal-dir", at("wal6")];
  await utl("snapshot", "restore", file, "--data-dir", ours, ...two);
  const token = ["--initial-cluster-token", "another", "--wal-dir", at("wal7")];
  await utl("snapshot", "restore", file, "--data-dir", other, ...token);
  const verify = (path: string, ...wal: string[]): Promise<Ran> =>
    utl("verify", "--data-dir", path, ...wal);
  assert.equal((await verify(ours, "--wal-dir", at("wal6"))).code, 0);
  const missing = await verify(ours);
  assert.match(missing.err, /^Error: 1 problems found\.\n(?:open|scandir) .*: no such file or dir/);
  assert.equal(missing.code, 1);
  const foreign = await verify(ours, "--wal-dir", at("wal7"));
  assert.match(foreign.err, /^Error: 1 problems found\.\n.*wal7/);
});

test("our commands are hidden under etcd's name and shown under ours", async () => {
  assert.doesNotMatch((await utl("--help")).out, /import-etcd/);
  const { root } = utlProgram("quorate utl");
  assert.equal(root.commands?.find((c) => c.use === "import-etcd")?.isHidden, false);
  let help = "";
  const output = { out: (text: string | Uint8Array) => (help += String(text)), err: () => {} };
  await runProgram(utlProgram("quorate utl"), ["-h"], output, { wallMs: () => 0 });
  assert.match(help, /^Usage:\n {2}quorate utl \[command\]\n[^]*\n {2}import-etcd Makes/);
});
