import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { concat, utf8 } from "../base/bytes.ts";
import { BoltPlanner } from "../bbolt/plan.ts";
import { BoltWriter } from "../bbolt/writer.ts";
import { runProgram } from "../cli/run.ts";
import { encodePutRequest, emptyPut } from "../codec/kv.ts";
import { Writer } from "../codec/writer.ts";
import { lockFile } from "../io/node-lock.ts";
import { encodeMember } from "../server/member/member.ts";
import type { Entry } from "../raft/types.ts";
import { encodeGoWal, firstWalName } from "./go-wal.ts";
import { readLog } from "./our-directory.ts";
import { utlProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "utl-import-"));
after(() => {
  rmSync(folder, { recursive: true });
});

const identity = { memberId: 5n, clusterId: 7n };
const confState = { voters: [5n], learners: [], votersOutgoing: [], learnersNext: [] };

const number = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  bytes[7] = value;
  return bytes;
};

/** A directory as etcd 3.5 leaves it: without storage version, its database at index 3. */
function goDirectory(name: string, entries: readonly Entry[], commit: number): string {
  const meta: [Uint8Array, Uint8Array][] = [
    [utf8("confState"), utf8('{"voters":[5],"auto_leave":false}')],
    [utf8("consistent_index"), number(3)],
    [utf8("term"), number(2)],
  ];
  const member = encodeMember({
    ...{ id: 5n, peerUrls: ["http://127.0.0.1:2380"], isLearner: false },
    ...{ name: "m", clientUrls: [] },
  });
  const rows: [string, [Uint8Array, Uint8Array][]][] = [
    ["key", []],
    ["members", [[utf8("5"), utf8(member)]]],
    ["meta", meta],
  ];
  const planner = new BoltPlanner();
  for (const [bucket, list] of rows) {
    planner.bucket(utf8(bucket));
    for (const [key, value] of list) planner.row(key.length, value.length);
  }
  const pieces: Uint8Array[] = [];
  const plan = planner.end();
  const writer = new BoltWriter({ plan, pieceBytes: 1 << 20, take: (piece) => pieces.push(piece) });
  for (const [bucket, list] of rows) {
    writer.bucket(utf8(bucket));
    for (const [key, value] of list) writer.row(key, value);
  }
  writer.end();
  const path = join(folder, name, "member");
  for (const part of ["snap", "wal"]) mkdirSync(join(path, part), { recursive: true });
  writeFileSync(join(path, "snap", "db"), concat(pieces));
  const wal = encodeGoWal({
    ...{ ...identity, snapshot: { index: 0, term: 0 } },
    confState: { ...confState, autoLeave: false },
    hardState: { term: 3, vote: 5n, commit },
    entries,
  });
  writeFileSync(join(path, "wal", firstWalName), concat([...wal]));
  return join(folder, name);
}

function entry(index: number, data: Uint8Array): Entry {
  return { type: 0, term: index < 4 ? 2 : 3, index, data };
}

/** An InternalRaftRequest with a put. */
function put(): Uint8Array {
  const body = new Writer();
  encodePutRequest(body, { ...emptyPut(), key: utf8("k"), value: utf8("v") });
  const out = new Writer();
  out.bytesField(0x22, body.view());
  return out.copy();
}

/** What etcd 3.5 says of a member, bare and wrapped. */
function requestsOfV2(): Uint8Array[] {
  const bare = new Writer();
  bare.varint(0x08);
  bare.varint(77);
  bare.bytesField(0x12, utf8("PUT"));
  bare.bytesField(0x1a, utf8("/0/members/5/attributes"));
  const wrapped = new Writer();
  wrapped.bytesField(0x12, bare.view());
  return [bare.copy(), wrapped.copy()];
}

interface Ran {
  readonly text: string;
  readonly code: number;
}

async function utl(...line: string[]): Promise<Ran> {
  let text = "";
  const write = (part: string | Uint8Array): void => {
    text += String(part);
  };
  const output = { out: write, err: write };
  const code = await runProgram(utlProgram("etcdutl"), line, output, { wallMs: () => 0 });
  return { text, code };
}

const first = [1, 2, 3].map((index) => entry(index, new Uint8Array(0)));

test("the log behind the database comes along; of API v2 only the places", async () => {
  const [bare, wrapped] = requestsOfV2();
  const tail = [entry(4, put()), entry(5, bare!), entry(6, wrapped!), entry(7, put())];
  const from = goDirectory("go", [...first, ...tail], 6);
  const to = join(folder, "ours");
  const { text, code } = await utl("import-etcd", "--from", from, "--data-dir", to);
  assert.equal(code, 0, text);
  assert.equal(text.match(/an entry of API v2 is kept empty\t\{"index": [56]\}/g)?.length, 2);
  const log = readLog(join(to, "member", "wal"), identity, 1);
  assert.deepEqual(log.base, { index: 3, term: 2 });
  assert.deepEqual(log.hardState, { term: 3, vote: 5n, commit: 6 });
  assert.deepEqual(
    log.entries.map(({ index, term, data }) => [index, term, data.length]),
    [4, 5, 6, 7].map((index) => [index, 3, index === 4 || index === 7 ? put().length : 0]),
  );
  assert.equal((await utl("verify", "--data-dir", to)).code, 0);
});

test("a log that does not reach the database is refused, and nothing is left", async () => {
  const from = goDirectory("short", first.slice(0, 2), 2);
  const to = join(folder, "none");
  const { text, code } = await utl("import-etcd", "--from", from, "--data-dir", to);
  assert.equal(code, 1);
  assert.match(text, /Error: the WAL ends at index 2, before the database's 3\n$/);
  const unknown = goDirectory("unknown", [...first, entry(4, utf8("?"))], 4);
  const refused = await utl("import-etcd", "--from", unknown, "--data-dir", to);
  assert.equal(refused.code, 1);
  const again = await utl("import-etcd", "--from", goDirectory("good", first, 3), "--data-dir", to);
  assert.equal(again.code, 0, again.text);
});

test("a directory in use is not read", async () => {
  const to = join(folder, "used");
  await utl("import-etcd", "--from", goDirectory("used-go", first, 3), "--data-dir", to);
  const lock = lockFile(join(to, "member", "lock"));
  const commands = [
    ["hashkv", to],
    ["snapshot", "status", join(to, "member", "backend", "data.mdb")],
    ["verify", "--data-dir", to],
    ["export-etcd", "--data-dir", to, "--to", join(folder, "never")],
  ];
  for (const command of commands) {
    const { text, code } = await utl(...command, "--timeout", "1ms");
    assert.deepEqual([text.split("\n").at(-2), code], ["Error: timeout", 1]);
  }
  lock?.release();
  assert.equal((await utl("hashkv", to)).code, 0);
});
