// What `quorate ctl` has beyond etcdctl, on real members: the commands run in this process, only
// the one that is drawn on a terminal is given a made-up one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, beforeEach, test } from "node:test";

import { runProgram } from "../../src/cli/run.ts";
import { EtcdClient } from "../../src/client/client.ts";
import type { CtlContext } from "../../src/ctl/context.ts";
import { ctlProgram } from "../../src/ctl/program.ts";
import { TestCluster } from "../e2e/cluster.ts";

const program = join(import.meta.dirname, "../../bin/quorate");
const never = new Promise<void>(() => undefined);
const folder = mkdtempSync(join(tmpdir(), "ctl-additions-"));
const at = (name: string): string => join(folder, name);

let cluster: TestCluster;
let client: EtcdClient;
before(async () => {
  cluster = await TestCluster.start({ members: [{ name: "m1" }], flags: ["--log-level=warn"] });
  client = new EtcdClient({ endpoints: cluster.endpoints });
});
after(async () => {
  client.close();
  await cluster.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => client.kv.delete("", { prefix: true }));

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

interface World extends Partial<CtlContext> {
  readonly input?: string;
  /** Sees all output up to now, at every piece of it. */
  readonly seen?: (out: string) => void;
}

/** As `quorate ctl`, with the member's endpoint. */
function ctl(...line: string[]): Promise<Ran> {
  return ctlIn({}, ...line);
}

async function ctlIn({ input = "", seen, ...world }: World, ...line: string[]): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const lines = input.split(/(?<=\n)/);
  const words = ["--endpoints", cluster.endpoints.join(), ...line];
  const context: CtlContext = {
    program: "quorate ctl",
    env: {},
    words,
    stdin: {
      isTerminal: false,
      line: () => Promise.resolve(lines.shift() ?? ""),
      all: () => Promise.resolve(new Uint8Array(0)),
      hiddenLine: () => Promise.resolve(""),
    },
    isTerminal: false,
    interrupted: () => never,
    ...world,
  };
  const decoder = new TextDecoder();
  const output = {
    out: (text: string | Uint8Array) => {
      out.push(typeof text === "string" ? text : decoder.decode(text));
      seen?.(out.join(""));
    },
    err: (text: string) => void err.push(text),
  };
  const code = await runProgram(ctlProgram("quorate ctl"), words, output, context);
  return { out: out.join(""), err: err.join(""), code };
}

async function keys(prefix = ""): Promise<string[]> {
  const { kvs } = await client.kv.get(prefix, { prefix: true });
  return kvs.map((kv) => `${kv.keyString()}=${kv.string()} v${kv.version}`);
}

test("an export of one revision is imported as it was, bytes and leases too", async () => {
  const lease = await client.lease.grant(600);
  await client.kv.put("a/text", "größe");
  await client.kv.put(Uint8Array.of(0x61, 0x2f, 0xff), Uint8Array.of(0, 0xfe));
  await client.kv.put("b/other", "not asked for");
  const { header } = await client.kv.put("a/leased", "x", { lease: lease.id });
  await client.kv.put("a/text", "later");

  const path = at("whole.json");
  const line = ["export", path, "--prefix", "a/", "--leases", "--revision"];
  const exported = await ctl(...line, String(header.revision));
  assert.deepEqual(exported, { out: `exported 3 keys to ${path}\n`, err: "", code: 0 });
  assert.equal(readFileSync(path, "utf8").split("\n").length, 6); // head, keys, end, nothing
  assert.match((await ctl("export", path)).err, /file exists; --resume goes on with it$/m);

  await client.lease.revoke(lease.id);
  await client.kv.delete("", { prefix: true });
  const imported = await ctl("import", path, "--leases");
  assert.deepEqual(imported, { out: `imported 3 keys from ${path}\n`, err: "", code: 0 });
  assert.deepEqual(await keys("a/"), ["a/leased=x v1", "a/text=größe v1", "a/\ufffd=\0\ufffd v1"]);
  const leased = await client.kv.get("a/leased");
  assert.equal(leased.kvs[0]?.lease, lease.id);
  const { grantedTtlSeconds } = await client.lease.timeToLive(lease.id);
  assert.equal(grantedTtlSeconds, 600);
  assert.equal(existsSync(`${path}.progress`), false);
});

test("an import that failed goes on where it stopped", async () => {
  const path = at("broken.json");
  const good = Array.from({ length: 10 }, (_, i) => `{"key":"k${i}","value":"${i}"}\n`);
  writeFileSync(path, [...good.slice(0, 7), "{broken\n", ...good.slice(7)].join(""));
  const failed = await ctl("import", path, "--max-txn-ops", "2");
  assert.deepEqual(failed, { out: "", err: "Error: line 8: it is no JSON\n", code: 3 });
  assert.equal((await keys()).length, 6); // three transactions; the fourth was never full

  writeFileSync(path, good.join(""));
  const done = await ctl("import", path, "--max-txn-ops", "2");
  assert.equal(done.err, `going on behind line 6 of ${path}\n`);
  assert.equal(done.out, `imported 10 keys from ${path}\n`);
  const wanted = good.map((_, i) => `k${i}=${i} v1`);
  assert.deepEqual(await keys(), wanted); // version 1: none was put twice
});

test("progress of another file is refused until it is begun anew", async () => {
  const path = at("other.json");
  writeFileSync(path, '{"key":"a","value":"1"}\n{"key":"a","value":"2"}\nno\n');
  assert.equal((await ctl("import", path)).code, 3);
  writeFileSync(path, '{"key":"a","value":"3"}\n{"key":"b","value":"4"}\n');
  const refused = await ctl("import", path);
  assert.match(refused.err, /other\.json\.progress is of another file; --restart begins anew/);
  assert.equal(refused.code, 3);
  assert.equal((await ctl("import", path, "--restart", "--prefix", "b")).code, 0);
  assert.deepEqual(await keys(), ["a=1 v1", "b=4 v1"]);
});

test("an import reads standard input", async () => {
  const input = '{"key":"s","value_base64":"eA=="}\n\n{"key":"s","value":"y"}';
  const ran = await ctlIn({ input }, "import");
  assert.deepEqual(ran, { out: "imported 2 keys\n", err: "", code: 0 });
  assert.deepEqual(await keys(), ["s=y v2"]);
});

test("an export that was cut off goes on, and its import is not whole before", async () => {
  for (const key of ["a", "b", "c", "d"]) await client.kv.put(key, key);
  const { out } = await ctl("export");
  const [head, a, b, c] = out.split(/(?<=\n)/) as [string, string, string, string];
  const path = at("cut.json");
  writeFileSync(path, head + a + b + c);
  truncateSync(path, head.length + a.length + b.length + 5);
  await client.kv.put("d", "later");
  await client.kv.delete("a");

  const early = await ctl("import", path);
  assert.match(early.err, /the export was cut off; what is there, 2 keys, was imported\n$/);
  assert.equal(early.code, 3);
  const resumed = await ctl("export", path, "--resume");
  assert.deepEqual(resumed, { out: `exported 4 keys to ${path}\n`, err: "", code: 0 });
  assert.equal(readFileSync(path, "utf8"), out);
  assert.equal((await ctl("import", path)).err, `going on behind line 3 of ${path}\n`);
  assert.deepEqual(await keys(), ["a=a v1", "b=b v2", "c=c v2", "d=d v3"]);
});

test("an export that never began leaves no file", async () => {
  const path = at("never.json");
  const { err, code } = await ctl("export", path, "--revision", "1000000");
  assert.match(err, /required revision is a future revision\n$/);
  assert.equal(code, 1);
  assert.equal(existsSync(path), false);
});

test("a cluster and its snapshot differ in what was changed between", async () => {
  const lease = await client.lease.grant(600);
  for (const key of ["p/gone", "p/kept", "p/changed", "q"]) await client.kv.put(key, "old");
  const path = at("snapshot.db");
  await client.maintenance.snapshot({ endpoint: cluster.endpoints[0]! }).saveTo(path);
  const endpoint = cluster.endpoints[0]!;
  const { header } = await client.kv.get("q");
  const same = await ctl("diff", path, endpoint);
  const titles = `--- ${path} revision ${header.revision}\n+++ ${endpoint} revision`;
  assert.deepEqual(same, {
    out: `${titles} ${header.revision}\nno difference\n`,
    err: "",
    code: 0,
  });

  await client.kv.delete("p/gone");
  await client.kv.put("p/changed", "newer", { lease: lease.id });
  await client.kv.put("p/new", "n");
  const last = await client.kv.put("q", "other");
  const id = lease.id.toString(16).padStart(16, "0");
  assert.deepEqual(await ctl("diff", path, endpoint, "--prefix", "p/"), {
    out:
      `${titles} ${last.header.revision}\n` +
      `! "p/changed" value (3 bytes, 5 bytes) version (1, 2) lease (none, ${id})\n` +
      '- "p/gone"\n+ "p/new"\n1 only in the first, 1 only in the second, 1 changed\n',
    err: "",
    code: 1,
  });
  const at2 = await ctl("diff", path, endpoint, "--revision", String(header.revision));
  assert.equal(at2.code, 0);
  const json = await ctl("diff", path, endpoint, "-w", "json", "--prefix", "p/n");
  assert.equal(
    json.out,
    '{"key":"p/new","first":null,"second":{"value":"n","version":1},"differs":[]}\n',
  );
});

test("a diff that cannot be made is no difference", async () => {
  const endpoint = cluster.endpoints[0]!;
  const missing = await ctl("diff", at("missing.db"), endpoint);
  assert.match(missing.err, /missing\.db" is no file, and no endpoint either\n$/);
  assert.equal(missing.code, 2);
  const future = await ctl("diff", endpoint, endpoint, "--revision", "1000000");
  assert.match(future.err, /required revision is a future revision\n$/);
  assert.equal(future.code, 2);
});

test("top prints one look where there is no terminal", async () => {
  const { out, err, code } = await ctl("top", "--interval", "50ms");
  assert.deepEqual({ err, code }, { err: "", code: 0 });
  const lines = out.trimEnd().split("\n");
  assert.match(lines[0]!, /^cluster [0-9a-f]+: 1 of 1 members answer, leader m1, term \d+, /);
  assert.equal(lines[1], "alarms: none");
  assert.match(lines[4]!, /^m1 +http:\S+ +leader +3\.7\.1 +\d+ +\d+ +\d+ +0 /);
  assert.equal(lines.length, 5);
});

test("top draws on a terminal until it is interrupted", async () => {
  const stop = Promise.withResolvers<undefined>();
  const seen = (out: string): void => {
    if (out.split("\x1b[H").length > 3) stop.resolve(undefined); // the third drawing
  };
  const world = { isTerminal: true, interrupted: () => stop.promise, seen };
  const { out, code } = await ctlIn(world, "top", "--interval", "50ms");
  assert.equal(code, 0);
  assert.ok(out.startsWith("\x1b[?1049h\x1b[?25l\x1b[Hcluster "), JSON.stringify(out.slice(0, 40)));
  assert.ok(out.endsWith("\x1b[?25h\x1b[?1049l"));
});

test("watch --follow-json goes on after the member was killed and started again", async () => {
  const { header } = await client.kv.put("w", "0");
  const words = ["watch", "w", "--prefix", "--follow-json", "--rev", String(header.revision)];
  const args = ["ctl", "--endpoints", cluster.endpoints.join(), ...words];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
  try {
    const first = { type: "PUT", key: "w", value: "0", version: 1 };
    assert.deepEqual(await next(), { ...first, ...revisions(header.revision, 0) });
    const member = cluster.member("m1");
    await member.end("SIGKILL");
    await member.start();
    await client.kv.put("w", "1");
    await client.kv.delete("w");
    const second = { type: "PUT", key: "w", value: "1", version: 2 };
    assert.deepEqual(await next(), { ...second, ...revisions(header.revision, 1) });
    const third = { type: "DELETE", key: "w", mod_revision: header.revision + 2 };
    assert.deepEqual(await next(), third);
  } finally {
    child.kill("SIGKILL");
  }
});

function revisions(created: number, later: number) {
  return { create_revision: created, mod_revision: created + later };
}
