// bin/etcdctl on a running member: what its users see. Whether that is what etcdctl 3.7.1 prints is
// the conformance suite's question (--only ctl).
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { runCommand, type CommandOptions, type CommandResult } from "../conformance/command.ts";
import { TestCluster } from "../e2e/cluster.ts";

const program = fileURLToPath(new URL("../../bin/etcdctl", import.meta.url));
const nobody = "127.0.0.1:1";

let cluster: TestCluster;

before(async () => {
  cluster = await TestCluster.start({ members: [{ name: "a" }], flags: ["--log-level=warn"] });
});

after(async () => {
  await cluster.close();
});

function etcdctl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const env = { ETCDCTL_ENDPOINTS: cluster.endpoints[0]!, ...options.env };
  return runCommand(program, args, { ...options, env });
}

async function printed(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await etcdctl(args);
  assert.deepEqual({ stderr, code }, { stderr: "", code: 0 }, args.join(" "));
  return stdout;
}

test("keys are put, read, removed and printed in the format asked for", async () => {
  assert.equal(await printed("put", "k", "v"), "OK\n");
  assert.equal(await printed("get", "k"), "k\nv\n");
  assert.match(
    await printed("get", "k", "-w", "json"),
    /"kvs":\[\{"key":"aw==",.*"value":"dg=="\}\]/,
  );
  assert.equal(await printed("get", "k", "--hex"), "\\x6b\n\\x76\n");
  assert.equal(await printed("del", "k", "--prev-kv"), "1\nk\nv\n");
});

test("a key of any bytes is read back as it was given", async () => {
  const input = '\nput "\\xff\\x00" bytes\nget "\\xff" --prefix -- \n\n\n';
  const { stdout, code } = await etcdctl(["txn", "--hex"], { input });
  assert.equal(code, 0);
  assert.equal(stdout, "SUCCESS\n\nOK\n\n\\xff\\x00\n\\x62\\x79\\x74\\x65\\x73\n");
});

test("a value larger than a quick call carries goes through the client", async () => {
  const value = "x".repeat(100_000);
  const { code } = await etcdctl(["put", "large"], { input: value });
  assert.equal(code, 0);
  assert.equal(await printed("get", "large", "--print-value-only"), `${value}\n`);
});

test("a watch prints changes and runs its command for each", async () => {
  await printed("put", "w", "1");
  const args = ["watch", "w", "--rev", "1", "--", "sh", "-c", "echo $ETCD_WATCH_KEY"];
  const { stdout } = await etcdctl(args, {
    onStdout: (soFar, end) => {
      if (soFar.includes('"w"')) end("SIGINT");
    },
  });
  assert.equal(stdout, 'PUT\nw\n1\n"w"\n');
});

test("a lock is held while a command runs, whose exit code is passed on", async () => {
  const held = await etcdctl(["lock", "l", "--", "sh", "-c", "echo ${ETCD_LOCK_KEY%/*}; exit 7"]);
  assert.deepEqual(held, { stdout: "l\n", stderr: "Error: exit status 7\n", code: 7 });
  assert.equal(await printed("get", "l/", "--prefix"), "");
});

test("a snapshot is written to a file, and nothing where there is no folder", async () => {
  const folder = cluster.members[0]!.folder;
  const path = join(folder, "snapshot");
  const { stdout, code } = await etcdctl(["snapshot", "save", path]);
  assert.deepEqual(
    { stdout, code },
    { stdout: `Snapshot saved at ${path}\nServer version 3.7.0\n`, code: 0 },
  );
  assert(existsSync(path));
  const lost = await etcdctl(["snapshot", "save", join(folder, "nosuch", "snapshot")]);
  assert.equal(lost.code, 5);
  assert.match(
    lost.stderr,
    /Error: could not open .*snapshot\.part \(open .*: no such file or directory\)/,
  );
});

test("a server that is not there fails within the time of the command, and says why", async () => {
  const args = ["get", "k", "--command-timeout", "200ms"];
  const { stderr, code } = await etcdctl(args, { env: { ETCDCTL_ENDPOINTS: nobody } });
  assert.equal(code, 1);
  assert.match(stderr, /"level":"warn".*ECONNREFUSED.*\nError: context deadline exceeded\n$/s);
});

test("a variable that a flag shadows ends the command", async () => {
  const { stderr, code } = await etcdctl(["get", "k", "--endpoints", nobody]);
  assert.equal(code, 1);
  assert.match(stderr, /"level":"fatal".*"environment-variable":"ETCDCTL_ENDPOINTS"/);
});

test("help, errors and version call the program by its name", async () => {
  assert.match(await printed("--help"), /\n {2}etcdctl \[command\]\n/);
  assert.equal(await printed("version"), "etcdctl version: 3.7.1\nAPI version: 3.7\n");
  const { stderr, code } = await etcdctl(["nosuch"]);
  const text = 'Error: unknown command "nosuch" for "etcdctl"\nRun \'etcdctl --help\' for usage.\n';
  assert.deepEqual({ stderr, code }, { stderr: text, code: 1 });
});
