// Discovery and configuration on a real cluster that goes away and comes back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { HotConfig } from "../../../src/client/config/hot-reload.ts";
import type {
  Registration,
  RegistrationState,
} from "../../../src/client/discovery/registration.ts";
import { ServiceRegistry } from "../../../src/client/discovery/registry.ts";
import type { ServiceSet } from "../../../src/client/discovery/service-set.ts";
import { ClientClosedError } from "../../../src/client/errors.ts";
import { Target } from "./target.ts";

let target: Target;
before(async () => {
  target = await Target.start();
});
after(() => target.close());

function state(registration: Registration, wanted: RegistrationState): Promise<void> {
  return new Promise((resolve) => {
    registration.on("state", (now) => now === wanted && resolve());
  });
}

/** Resolves when the set holds this many instances. */
async function holds(set: ServiceSet, count: number): Promise<void> {
  for await (const instances of set) if (instances.length === count) return;
}

test("an instance whose lease is revoked is listed anew on another one", async () => {
  const { client } = target;
  const registry = new ServiceRegistry(client, { prefix: "suite" });
  const registration = await registry.register({ name: "web", address: "10.0.0.1:80" });
  const set = registry.watch("web");
  await holds(set, 1);
  const lease = async (): Promise<bigint | undefined> =>
    (await client.kv.get(registration.key)).kvs[0]?.lease;
  const before = await lease();
  const [lost, listed] = [state(registration, "lost"), state(registration, "serving")];
  await client.lease.revoke(before!);
  await lost;
  await listed;
  assert.notEqual(await lease(), before);
  await holds(set, 1);
  await registration.close();
  await holds(set, 0);
  await set.close();
});

test("a registration, a set and a configuration outlive a restart of all members", async () => {
  const { client } = target;
  const registry = new ServiceRegistry(client, { prefix: "suite" });
  const options = { name: "api", address: "10.0.0.2:80", ttlSeconds: 60 };
  const registration = await registry.register(options);
  const set = registry.watch("api");
  await holds(set, 1);
  await client.kv.put("suite/config", "1");
  const config = await HotConfig.open(client, { key: "suite/config", parse: Number });
  for (const member of target.cluster.members) await member.end();
  assert.equal(set.instances.length, 1);
  assert.equal(config.current, 1);
  for (const member of target.cluster.members) member.spawn();
  await target.cluster.ready();
  const changed = new Promise((resolve) => config.on("change", resolve));
  await client.kv.put("suite/config", "2");
  assert.equal(await changed, 2);
  const other = await registry.register({ name: "api", address: "10.0.0.3:80" });
  await holds(set, 2);
  assert.equal(registration.state, "serving");
  await Promise.all([registration.close(), other.close()]);
  await holds(set, 0);
  await Promise.all([set.close(), config.close()]);
});

function isClosed(error: Error, resolve: () => void): void {
  if (error instanceof ClientClosedError) resolve();
}

test("a closed client ends what stood on it", async () => {
  const client = target.newClient();
  const registry = new ServiceRegistry(client, { prefix: "suite" });
  const registration = await registry.register({ name: "db", address: "10.0.0.4:80" });
  const set = registry.watch("db");
  await holds(set, 1);
  const both = Promise.all([
    new Promise<void>((resolve) => registration.on("error", (error) => isClosed(error, resolve))),
    new Promise<void>((resolve) => set.on("error", (error) => isClosed(error, resolve))),
  ]);
  client.close();
  await both;
  await set.close();
  await assert.rejects(registration.close(), ClientClosedError);
});
