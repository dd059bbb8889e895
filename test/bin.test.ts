import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const bin = join(import.meta.dirname, "../bin");
const elsewhere = mkdtempSync(join(tmpdir(), "quorate-bin-"));
after(() => {
  rmSync(elsewhere, { recursive: true });
});

function run(program: string, ...args: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: elsewhere, encoding: "utf8" });
  return { code: status, output: stdout + stderr };
}

test("bin/etcd runs from any directory and through a symbolic link", () => {
  const link = join(elsewhere, "etcd");
  symlinkSync(join(bin, "etcd"), link);
  const { code, output } = run(link, "--version");
  assert.equal(code, 0);
  assert.equal(output.split("\n")[0], "etcd Version: 3.7.1");
});

test("bin/quorate takes the subcommand and passes the exit code", () => {
  assert.equal(run(join(bin, "quorate"), "server", "--version").code, 0);
  assert.equal(run(join(bin, "quorate"), "server", "--foo").code, 2);
  const unknown = run(join(bin, "quorate"), "foo");
  assert.equal(unknown.code, 1);
  assert.match(unknown.output, /unknown subcommand "foo"/);
});

test("bin/etcdutl says its own name, quorate utl that one", () => {
  const [etcdutl, quorate] = [join(bin, "etcdutl"), join(bin, "quorate")];
  assert.equal(run(etcdutl, "version").output, "etcdutl version: 3.7.1\nAPI version: 3.7\n");
  assert.match(run(quorate, "utl", "version").output, /^quorate utl version: 3\.7\.1\n/);
  const bad = run(etcdutl, "snapshot", "status");
  assert.deepEqual(bad, {
    code: 128,
    output: "Error: snapshot status requires exactly one argument\n",
  });
});
