import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { HandClock } from "../../../test/client/scripted-caller.ts";
import { ConnectionError } from "../errors.ts";
import { InvalidInputError } from "../input.ts";
import type { Registration, RegistrationState } from "./registration.ts";
import { ServiceRegistry } from "./registry.ts";

/** Resolves when the registration comes to that state. */
function state(registration: Registration, wanted: RegistrationState): Promise<void> {
  return new Promise((resolve) => {
    registration.on("state", (now) => now === wanted && resolve());
    if (registration.state === wanted) resolve();
  });
}

test("an instance is found by its service until its registration is closed", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  const metadata = { zone: "a" };
  const two = await registry.register({ name: "web", address: "10.0.0.2:80", id: "two", metadata });
  const one = await registry.register({ name: "web", address: "10.0.0.1:80" });
  await registry.register({ name: "web2", address: "10.0.0.9:80" });
  assert.deepEqual(await registry.resolve("web"), [
    { service: "web", id: "10.0.0.1:80", address: "10.0.0.1:80", metadata: null },
    { service: "web", id: "two", address: "10.0.0.2:80", metadata },
  ]);
  await one.close();
  assert.equal(one.state, "closed");
  assert.deepEqual(
    (await registry.resolve("web")).map(({ id }) => id),
    ["two"],
  );
  await two.close();
  assert.deepEqual(await registry.resolve("web"), []);
});

test("the value is the one of Go's endpoints, and values of others are passed over", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client, { prefix: "" });
  const { kv } = cluster.client;
  const registration = await registry.register({ name: "web", address: "h:1", metadata: 7 });
  assert.equal(registration.key, "web/h:1");
  const { kvs } = await kv.get("web/h:1");
  assert.equal(kvs[0]?.string(), '{"Op":0,"Addr":"h:1","Metadata":7}');
  await kv.put("web/go", '{"Op":0,"Addr":"g:2","Metadata":null}');
  for (const bad of ["", "no json", "null", '{"Addr":""}', "[]"]) await kv.put("web/x", bad);
  assert.deepEqual(
    (await registry.resolve("web")).map(({ address }) => address),
    ["g:2", "h:1"],
  );
});

test("an instance whose lease was lost is listed anew on another one", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  const registration = await registry.register({ name: "web", address: "h:1" });
  const errors: string[] = [];
  registration.on("error", (error) => errors.push(error.constructor.name));
  const lease = cluster.model.leaseOf(registration.key);
  const lost = state(registration, "lost");
  cluster.expire(lease);
  assert.deepEqual(cluster.keys(), []);
  await lost;
  await state(registration, "serving");
  assert.deepEqual(cluster.keys(), [registration.key]);
  assert.notEqual(cluster.model.leaseOf(registration.key), lease);
  assert.deepEqual(errors, ["SessionExpiredError"]);
  await registration.close();
  assert.deepEqual(cluster.keys(), []);
  assert.equal(cluster.model.leases.size, 0);
});

test("an instance is tried again until the cluster answers", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  const registration = await registry.register({ name: "web", address: "h:1" });
  let failures = 0;
  registration.on("error", (error) => {
    if (!(error instanceof ConnectionError)) return;
    if (++failures === 2) cluster.isDown = false;
  });
  cluster.isDown = true;
  cluster.expire(cluster.model.leaseOf(registration.key));
  await state(registration, "lost");
  await state(registration, "serving");
  assert.equal(failures, 2);
  await registration.close();
});

test("the first attempt is not repeated: its failure is the caller's to see", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  cluster.isDown = true;
  await assert.rejects(registry.register({ name: "web", address: "h:1" }), ConnectionError);
  for (const name of ["", "a/b"]) {
    const registered = registry.register({ name, address: "h:1" });
    await assert.rejects(registered, InvalidInputError);
  }
});

test("an instance is listed only while it is healthy", async () => {
  const cluster = new FakeCluster();
  const clock = new HandClock();
  let answer: () => boolean | Promise<boolean> = () => false;
  const registration = await new ServiceRegistry(cluster.client).register({
    name: "web",
    address: "h:1",
    health: () => answer(),
    healthIntervalMs: 1_000,
    clock,
  });
  assert.equal(registration.state, "unhealthy");
  assert.deepEqual(cluster.keys(), []);
  const becomes = async (wanted: RegistrationState, next: typeof answer): Promise<void> => {
    answer = next;
    const reached = state(registration, wanted);
    await cluster.until(() => clock.pending === 1);
    clock.advance(1_000);
    await reached;
    assert.equal(cluster.keys().length, wanted === "serving" ? 1 : 0);
  };
  await becomes("serving", () => true);
  await becomes("unhealthy", () => {
    throw new Error("the check itself broke");
  });
  await becomes("serving", () => Promise.resolve(true));
  const hangs = state(registration, "unhealthy");
  answer = () => new Promise(() => undefined);
  await cluster.until(() => clock.pending === 1);
  clock.advance(1_000); // the check begins
  await cluster.until(() => clock.pending === 1);
  clock.advance(1_000); // and has taken too long
  await hangs;
  await registration.close();
  assert.equal(clock.pending, 0);
});

test("an unhealthy instance does not take off the entry that a later one made", async () => {
  const cluster = new FakeCluster();
  const clock = new HandClock();
  let isHealthy = true;
  const registry = new ServiceRegistry(cluster.client);
  const old = await registry.register({
    name: "web",
    address: "h:1",
    health: () => isHealthy,
    healthIntervalMs: 1_000,
    clock,
  });
  const newer = await registry.register({ name: "web", address: "h:1", metadata: "newer" });
  isHealthy = false;
  await cluster.until(() => clock.pending === 1);
  clock.advance(1_000);
  await state(old, "unhealthy");
  await old.close();
  assert.equal((await registry.resolve("web"))[0]?.metadata, "newer");
  await newer.close();
});

test("a set follows a service through changes, compaction and an unreachable cluster", async () => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  const set = registry.watch("web");
  await set.ready;
  assert.deepEqual(set.instances, []);
  const iterator = set[Symbol.asyncIterator]();
  assert.deepEqual((await iterator.next()).value, []);
  const addresses = async (): Promise<string> => {
    const { value } = await iterator.next();
    return (value ?? []).map(({ address }) => address).join();
  };
  const b = await registry.register({ name: "web", address: "b:1" });
  assert.equal(await addresses(), "b:1");
  await registry.register({ name: "web", address: "a:1" });
  assert.equal(await addresses(), "a:1,b:1");
  const failed = new Promise<Error>((resolve) => set.on("error", resolve));
  cluster.isDown = true;
  for (const watcher of cluster.watchers) watcher.fail(new ConnectionError("fake:1", "cut"));
  assert.ok((await failed) instanceof ConnectionError);
  assert.equal(set.instances.length, 2);
  cluster.isDown = false;
  await b.close();
  cluster.compact();
  while ((await addresses()) !== "a:1");
  await set.close();
  assert.equal((await iterator.next()).done, true);
  assert.equal(cluster.watchers.size, 0);
});
