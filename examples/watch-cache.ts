/**
 * A watch cache: a range of keys in memory, read at no cost and kept current by a watch. Disconnects
 * and compaction are handled below: the cache then reads the range anew.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/watch-cache.ts
 */
import { EtcdClient, LiveRange } from "../src/client/index.ts";

interface User {
  readonly name: string;
}

class UserCache {
  readonly #live: LiveRange<User>;
  #users: ReadonlyMap<string, User> = new Map();
  /** What the cache shows is the state of this revision. */
  #revision = 0;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(client: EtcdClient, prefix: string) {
    this.#live = new LiveRange(
      client,
      prefix,
      { prefix: true },
      {
        read: (kv) => kv.json() as User,
        changed: (users, revision) => {
          this.#users = users;
          this.#revision = revision;
          const due = this.#waiting.filter((one) => one.revision <= revision);
          this.#waiting = this.#waiting.filter((one) => one.revision > revision);
          for (const { resolve } of due) resolve();
        },
        failed: (error) => console.log("tried again:", error.message),
      },
    );
  }

  get(key: string): User | undefined {
    return this.#users.get(key);
  }

  get size(): number {
    return this.#users.size;
  }

  /** Read your writes: wait until the cache has come to the revision that a write answered. */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }));
  }

  close(): Promise<void> {
    return this.#live.close();
  }
}

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const { kv } = client;
const loaded = await kv.put("example/users/1", JSON.stringify({ name: "Ada" }));

const cache = new UserCache(client, "example/users/");
await cache.reached(loaded.header.revision);
console.log("loaded:", cache.get("example/users/1")?.name);

const put = await kv.put("example/users/2", JSON.stringify({ name: "Grace" }));
await cache.reached(put.header.revision);
console.log("after a put:", cache.get("example/users/2")?.name);

await kv.put("example/users/1", JSON.stringify({ name: "Ada L." }));
const deleted = await kv.delete("example/users/2");
await cache.reached(deleted.header.revision);
console.log("renamed:", cache.get("example/users/1")?.name);
console.log("deleted:", cache.get("example/users/2") === undefined, "left:", cache.size);

const last = await kv.delete("example/users/", { prefix: true });
await cache.reached(last.header.revision);
console.log("empty:", cache.size === 0);
await cache.close();
client.close();
