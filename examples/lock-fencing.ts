/**
 * A distributed lock with a fencing token. A lock alone cannot stop a holder that was paused while
 * its lease ran out: so storage refuses a write whose token is older than one it has seen.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/lock-fencing.ts
 */
import { EtcdClient, Mutex, op, Session } from "../src/client/index.ts";

/** Stands for a disk, a database, a printer: anything outside of etcd. */
class FencedStorage {
  value = "";
  #highestToken = 0;

  write(value: string, token: number): void {
    if (token < this.#highestToken) throw new Error("the token is older than one seen before");
    this.#highestToken = token;
    this.value = value;
  }
}

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const storage = new FencedStorage();

// A session is a lease that is renewed: when its process dies, others get the lock.
const first = await Session.create(client, { ttlSeconds: 10 });
const second = await Session.create(client, { ttlSeconds: 10 });

const lock = await new Mutex(first, "example/lock").lock();
storage.write("by the first", lock.fencingRevision);
console.log(
  "first holds the lock; a second try gives:",
  await new Mutex(second, "example/lock").tryLock(),
);

// The first holder stops being renewed, as after a long pause. Here its lease is revoked instead.
const waiting = new Mutex(second, "example/lock").lock();
await client.lease.revoke(first.leaseId);
const next = await waiting;
console.log("second has a higher token:", next.fencingRevision > lock.fencingRevision);
storage.write("by the second", next.fencingRevision);

// The first one wakes up. Its signal says that the lock is lost; but it may not look in time.
console.log("first was told:", lock.lost.aborted);
try {
  storage.write("too late", lock.fencingRevision);
} catch (error) {
  console.log("storage refused:", (error as Error).message);
}
console.log("storage holds:", storage.value);

// Writes to etcd itself are fenced by naming the lock in the transaction.
const late = await client.kv.txn().if(lock.isOwner()).then(op.put("example/data", "late")).commit();
const good = await client.kv.txn().if(next.isOwner()).then(op.put("example/data", "good")).commit();
console.log("etcd took the first's write:", late.succeeded, "and the second's:", good.succeeded);

await next.unlock();
await client.kv.delete("example/data");
await first.close();
await second.close();
client.close();
