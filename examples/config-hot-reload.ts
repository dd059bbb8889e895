/**
 * Configuration that changes while the program runs, checked before it counts, with a file for
 * starts without etcd.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/config-hot-reload.ts
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EtcdClient, HotConfig } from "../src/client/index.ts";

interface Limits {
  readonly requestsPerSecond: number;
}

/** Any `(input: unknown) => T` that throws will do, such as the `parse` of a zod schema. */
function parseLimits(input: unknown): Limits {
  const { requestsPerSecond } = (input ?? {}) as Partial<Limits>;
  if (typeof requestsPerSecond !== "number" || requestsPerSecond < 1) {
    throw new TypeError("requestsPerSecond must be 1 or more");
  }
  return { requestsPerSecond };
}

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const key = "example/limits";
const folder = await mkdtemp(join(tmpdir(), "quorate-example-"));
const file = join(folder, "limits.json");

await client.kv.put(key, JSON.stringify({ requestsPerSecond: 10 }));
const config = await HotConfig.open(client, { key, parse: parseLimits, file });
console.log("at the start:", config.current.requestsPerSecond);

const changed = new Promise<Limits>((resolve) => config.on("change", resolve));
const refused = new Promise<Error>((resolve) => config.on("error", resolve));

await client.kv.put(key, JSON.stringify({ requestsPerSecond: 20 }));
console.log("changed to:", (await changed).requestsPerSecond);

await client.kv.put(key, JSON.stringify({ requestsPerSecond: -5 }));
console.log("refused:", (await refused).message);
console.log("still:", config.current.requestsPerSecond);
await config.close();

const saved = JSON.parse(await readFile(file, "utf8")) as { input: Limits };
console.log("on disk:", saved.input.requestsPerSecond);

// The next start finds nobody at this address and goes on with the file.
const unreachable = new EtcdClient({ endpoints: "127.0.0.1:1" });
const startTimeoutMs = 300;
const later = await HotConfig.open(unreachable, { key, parse: parseLimits, file, startTimeoutMs });
console.log(`from the ${later.source}:`, later.current.requestsPerSecond);
await later.close();
unreachable.close();

await client.kv.delete(key);
await rm(folder, { recursive: true });
client.close();
