import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import * as grpc from "@grpc/grpc-js";
import { Agent, fetch } from "undici";

import { FakeCluster } from "../../../test/client/fake-cluster.ts";
import { registerGrpcResolver } from "./grpc-resolver.ts";
import { ServiceRegistry } from "./registry.ts";
import { undiciDiscovery } from "./undici.ts";

/** An HTTP server that answers with its name; its address. */
async function httpServer(t: TestContext, name: string): Promise<string> {
  const server = createServer((_, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("undici's requests go to the instances of a service in turn", async (t) => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  const [one, two] = [await httpServer(t, "one"), await httpServer(t, "two")];
  const first = await registry.register({ name: "web", id: "1", address: one });
  const second = await registry.register({ name: "web", id: "2", address: two });
  const discovery = undiciDiscovery(registry);
  const agent = new Agent();
  const dispatcher = agent.compose(discovery.interceptor);
  t.after(() => agent.close());
  const get = async (url: string): Promise<string> => (await fetch(url, { dispatcher })).text();
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await get("http://web.etcd/path"));
  assert.deepEqual(answers, ["one", "two", "one", "two"]);
  assert.equal(await get(`http://${two}/`), "two");
  await first.close();
  while ((await get("http://web.etcd/")) === "one"); // until the directory has heard of it
  assert.deepEqual([await get("http://web.etcd/"), await get("http://web.etcd/")], ["two", "two"]);
  await second.close();
  await discovery.close();
  assert.equal(cluster.watchers.size, 0);
});

test("a request to a service without instances fails with its name", async (t) => {
  const cluster = new FakeCluster();
  const agent = new Agent();
  t.after(() => agent.close());
  const registry = new ServiceRegistry(cluster.client);
  const discovery = undiciDiscovery(registry);
  const dispatcher = agent.compose(discovery.interceptor);
  const cause = (pattern: RegExp) => (error: unknown) =>
    error instanceof Error && pattern.test(String(error.cause));
  await assert.rejects(fetch("http://none.etcd/", { dispatcher }), cause(/"none": none is reg/));
  await assert.rejects(fetch("http://none.etcd/", { dispatcher }), cause(/"none": none is reg/));
  await discovery.close();
  await assert.rejects(fetch("http://none.etcd/", { dispatcher }), cause(/discovery is closed/));
  cluster.isDown = true;
  const late = undiciDiscovery(registry, { readyTimeoutMs: 10 });
  const other = agent.compose(late.interceptor);
  const failed = fetch("http://new.etcd/", { dispatcher: other });
  await assert.rejects(failed, cause(/"new": .*(connection broke|in time)/));
  await late.close();
});

const definition: grpc.ServiceDefinition = {
  name: {
    path: "/test.Names/Name",
    requestStream: false,
    responseStream: false,
    requestSerialize: (text: string) => Buffer.from(text),
    requestDeserialize: (bytes: Buffer) => bytes.toString(),
    responseSerialize: (text: string) => Buffer.from(text),
    responseDeserialize: (bytes: Buffer) => bytes.toString(),
  },
};

async function grpcServer(t: TestContext, name: string): Promise<string> {
  const server = new grpc.Server();
  server.addService(definition, {
    name: (_: unknown, done: grpc.sendUnaryData<string>) => done(null, name),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

test("a channel of grpc-js follows the instances of a service", async (t) => {
  const cluster = new FakeCluster();
  const registry = new ServiceRegistry(cluster.client);
  registerGrpcResolver(registry, { scheme: "etcd" });
  const [one, two] = [await grpcServer(t, "one"), await grpcServer(t, "two")];
  const Names = grpc.makeGenericClientConstructor(definition, "Names");
  const client = new Names("etcd:///names", grpc.credentials.createInsecure());
  t.after(() => client.close());
  const call = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const metadata = new grpc.Metadata({ waitForReady: true });
      const name = client["name"] as unknown as typeof client.makeUnaryRequest;
      Reflect.apply(name, client, [
        "who?",
        metadata,
        { deadline: Date.now() + 10_000 },
        (error: grpc.ServiceError | null, answer?: string) =>
          error === null ? resolve(answer ?? "") : reject(error),
      ]);
    });
  const waiting = call(); // nobody is there yet
  const first = await registry.register({ name: "names", address: one });
  assert.equal(await waiting, "one");
  const second = await registry.register({ name: "names", address: two });
  const seen = new Set<string>();
  while (seen.size < 2) seen.add(await call()); // the test's deadline bounds it
  await first.close();
  while ((await call()) === "one"); // until the channel has heard of it
  assert.equal(await call(), "two");
  await second.close();
});
