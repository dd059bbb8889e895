// The tour with the npm package etcd3: `node tour-etcd3.ts host:port`.
import { strict as assert } from "node:assert";

import { Etcd3 } from "etcd3";

const prefix = "npm/";
const eventCount = 7;

async function tour(endpoint: string): Promise<void> {
  const client = new Etcd3({ hosts: [`http://${endpoint}`] });
  const watcher = await client.watch().prefix(prefix).withPreviousKV().create();
  let seen = 0;
  const allSeen = new Promise<void>((resolve) => {
    const count = (): void => {
      if (++seen === eventCount) resolve();
    };
    watcher.on("put", count).on("delete", count);
  });
  await client.put(`${prefix}a`).value("1");
  await client.put(`${prefix}b`).value("2");
  assert.equal(await client.get(`${prefix}a`).string(), "1");
  assert.deepEqual(await client.getAll().prefix(prefix).strings(), {
    [`${prefix}a`]: "1",
    [`${prefix}b`]: "2",
  });
  const txn = await client
    .if(`${prefix}a`, "Value", "==", "1")
    .then(client.put(`${prefix}a`).value("3"))
    .else(client.get(`${prefix}a`))
    .commit();
  assert.equal(txn.succeeded, true);
  const lease = client.lease(30);
  await lease.put(`${prefix}c`).value("leased");
  assert.equal((await lease.keepaliveOnce()).TTL, "30");
  await lease.revoke();
  assert.equal(await client.get(`${prefix}c`).string(), null);
  const deleted = await client.delete().prefix(prefix);
  assert.equal(deleted.deleted, "2");
  await allSeen;
  await watcher.cancel();
  client.close();
}

await tour(process.argv[2] ?? "127.0.0.1:2379");
