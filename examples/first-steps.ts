/**
 * First steps: put, get, list, a transaction, a watch and a lease.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/first-steps.ts
 *
 * Outside of this repository the import is from "quorate-client".
 */
import { compare, EtcdClient, op } from "../src/client/index.ts";

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const { kv } = client;

// Keys and values are bytes; strings are taken as UTF-8.
await kv.put("steps/greeting", "hello");
const got = await kv.get("steps/greeting");
console.log("greeting:", got.kvs[0]?.string());

// A watch that begins behind what was read misses nothing.
const watcher = client.watch.watch("steps/", {
  prefix: true,
  startRevision: got.header.revision + 1,
});

await kv.put("steps/settings", JSON.stringify({ color: "blue" }));
const all = await kv.get("steps/", { prefix: true });
for (const one of all.kvs) console.log("listed:", one.keyString());

// A transaction: all of it or nothing, and only if the conditions hold.
const txn = await kv
  .txn()
  .if(compare.value("steps/greeting").equals("hello"))
  .then(op.put("steps/greeting", "hello again"), op.delete("steps/settings"))
  .else(op.get("steps/greeting"))
  .commit();
console.log("transaction succeeded:", txn.succeeded);

// A key on a lease goes when the lease ends.
const lease = await client.lease.grant(60);
await kv.put("steps/online", "yes", { lease: lease.id });
await client.lease.revoke(lease.id);

for await (const { type, kv: changed } of watcher.events()) {
  console.log("watched:", type, changed.keyString());
  if (type === "delete" && changed.keyString() === "steps/online") break;
}

await kv.delete("steps/", { prefix: true });
client.close();
