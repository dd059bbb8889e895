/**
 * Two services that find each other: "orders" calls "users" without knowing where it runs.
 *
 *   ETCD_ENDPOINTS=127.0.0.1:2379 node examples/service-registry.ts
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { Agent, fetch } from "undici";

import { EtcdClient, ServiceRegistry, undiciDiscovery } from "../src/client/index.ts";

const client = new EtcdClient({ endpoints: process.env["ETCD_ENDPOINTS"] ?? "127.0.0.1:2379" });
const registry = new ServiceRegistry(client);

async function listen(answer: () => string | Promise<string>): Promise<[Server, string]> {
  const server = createServer((_, response) => {
    void Promise.resolve(answer()).then((text) => response.end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `127.0.0.1:${(server.address() as AddressInfo).port}`];
}

// Two instances of "users". Each entry stands on a lease, so that of a dead process goes by itself.
const [usersA, addressA] = await listen(() => "Ada of instance A");
const [usersB, addressB] = await listen(() => "Ada of instance B");
const inA = await registry.register({ name: "users", id: "a", address: addressA, ttlSeconds: 5 });
let isHealthy = true;
const inB = await registry.register({
  name: "users",
  id: "b",
  address: addressB,
  health: () => isHealthy, // an instance is listed only while this says so
  healthIntervalMs: 50,
});

// "orders" asks http://users.etcd/: undici sends each request to the next instance.
const discovery = undiciDiscovery(registry);
const dispatcher = new Agent().compose(discovery.interceptor);
const [orders, ordersAddress] = await listen(async () => {
  const user = await fetch("http://users.etcd/1", { dispatcher });
  return `order of ${await user.text()}`;
});
const inOrders = await registry.register({ name: "orders", address: ordersAddress });

// A third party resolves "orders" by hand.
const [found] = await registry.resolve("orders");
const ask = async (): Promise<string> => (await fetch(`http://${found?.address ?? ""}/`)).text();
console.log(await ask());
console.log(await ask());

// An instance that is not well is taken off the list, and comes back when it is.
const users = registry.watch("users");
await users.ready;
isHealthy = false;
for await (const instances of users) {
  if (instances.length > 1) continue;
  console.log("left:", instances.map(({ id }) => id).join());
  break;
}

// Leaving: entries first, so that nobody is sent to a server that is going.
await users.close();
await Promise.all([inA.close(), inB.close(), inOrders.close()]);
console.log("listed at the end:", (await registry.resolve("users")).length);
await discovery.close();
await dispatcher.close();
for (const server of [usersA, usersB, orders]) server.close();
client.close();
