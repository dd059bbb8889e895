// The client against real members that stop and come back.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { EtcdClient } from "../../src/client/client.ts";
import * as errors from "../../src/client/errors.ts";
import { TestCluster, type ClusterMember } from "../e2e/cluster.ts";

const root = join(import.meta.dirname, "../..");
let cluster: TestCluster;

before(async () => {
  cluster = await TestCluster.start({
    members: [{ name: "a" }, { name: "b" }, { name: "c" }],
    flags: ["--log-level", "warn"],
  });
});
after(() => cluster.close());

function endpoints(): string[] {
  return cluster.members.map(({ endpoint }) => endpoint);
}

async function findFollower(leader: bigint): Promise<ClusterMember> {
  const client = new EtcdClient({ endpoints: endpoints() });
  try {
    for (const member of cluster.members) {
      const { header } = await client.maintenance.status({ endpoint: member.endpoint });
      if (header.memberId !== leader) return member;
    }
    throw new Error("all members lead");
  } finally {
    client.close();
  }
}

test("a client goes on while members are killed one after the other", async () => {
  const client = new EtcdClient({ endpoints: endpoints(), timeoutMs: 30_000 });
  let known = 0;
  for (const member of cluster.members) {
    await client.kv.put("counter", String(known));
    await member.end("SIGKILL");
    for (let i = 0; i < 20; i++) {
      const { kvs } = await client.kv.get("counter");
      assert.equal(kvs[0]!.string(), String(known));
    }
    // A write whose connection broke under it may fail; it is never applied twice.
    const { header } = await client.kv.get("counter");
    const put = await client.kv.put("counter", String(known + 1)).catch((error: unknown) => error);
    const seen = await client.kv.get("counter");
    if (put instanceof Error) assert.ok(seen.header.revision - header.revision <= 1);
    else assert.equal(seen.header.revision, header.revision + 1);
    known = Number(seen.kvs[0]!.string());
    await member.start();
  }
  client.close();
});

test("reads pass by a member that does not answer", async () => {
  const client = new EtcdClient({
    endpoints: endpoints(),
    timeoutMs: 30_000,
    readTryTimeoutMs: 300,
  });
  await client.kv.put("frozen", "no");
  const leader = await client.maintenance.status();
  const follower = await findFollower(leader.leader);
  follower.signal("SIGSTOP");
  for (let i = 0; i < 50; i++) {
    const { kvs } = await client.kv.get("frozen");
    assert.equal(kvs[0]!.string(), "no");
  }
  follower.signal("SIGCONT");
  await cluster.ready();
  await client.kv.put("frozen", "yes");
  client.close();
});

test("with every member down calls fail in time, naming all; then they go on", async () => {
  const client = new EtcdClient({ endpoints: endpoints(), timeoutMs: 30_000 });
  await client.kv.put("k", "v");
  for (const member of cluster.members) await member.end("SIGKILL");
  const refused: unknown = await client.kv
    .put("k", "lost", { timeoutMs: 500 })
    .catch((error: unknown) => error);
  assert.ok(refused instanceof errors.ConnectionError, String(refused));
  for (const endpoint of endpoints()) assert.ok(refused.message.includes(endpoint));
  const waiting = client.kv.get("k");
  for (const member of cluster.members) member.spawn();
  assert.equal((await waiting).kvs[0]!.string(), "v");
  await cluster.ready();
  client.close();
});

test("the member list becomes the endpoints, also by itself", async () => {
  const first = cluster.members[0]!.endpoint;
  const client = new EtcdClient({ endpoints: ["127.0.0.1:1", first] });
  const wanted = endpoints().map((endpoint) => `http://${endpoint}`);
  assert.deepEqual((await client.sync()).sort(), wanted.sort());
  client.close();
  const automatic = new EtcdClient({ endpoints: first, autoSyncIntervalMs: 10 });
  while (automatic.endpoints.length < 3) await automatic.kv.get("k");
  assert.deepEqual(automatic.endpoints.sort(), wanted.sort());
  automatic.close();
});

test("a process ends by itself after close, with reachable endpoints and without", async () => {
  const script = `
    import { EtcdClient } from ${JSON.stringify(join(root, "src/client/index.ts"))};
    const client = new EtcdClient({ endpoints: process.argv.slice(1), autoSyncIntervalMs: 50 });
    const watcher = client.watch.watch("k");
    watcher.on("error", () => undefined);
    await client.kv.get("k", { timeoutMs: 2_000 }).catch(() => undefined);
    const left = client.kv.get("k").catch((error) => error.name);
    client.close();
    console.log(await left);
  `;
  for (const given of [endpoints(), ["127.0.0.1:1"], ["192.0.2.1:2379", ...endpoints()]]) {
    const args = ["--input-type=module", "-e", script, ...given];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    const bound = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(bound);
    assert.deepEqual([code, printed.trim()], [0, "ClientClosedError"], given.join());
  }
});
