// Starts, stops and a full disk quota of a whole server process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";

import { utf8 } from "../../src/base/bytes.ts";
import * as rpc from "../../src/gen/rpc_pb.js";
import { quorateProgram, startServer, type Server } from "../conformance/servers.ts";
import { Failure, methods, TestClient } from "./client.ts";

const kib = 1024;

async function withServer(
  flags: readonly string[],
  run: (server: Server, client: TestClient) => Promise<void>,
): Promise<void> {
  const server = await startServer({
    ...{ label: "lifecycle", program: quorateProgram },
    flags: ["--log-level", "warn", ...flags],
  });
  const client = new TestClient(server.endpoint);
  try {
    await run(server, client);
  } finally {
    client.close();
    await server.close();
  }
}

async function backendHash(client: TestClient): Promise<number> {
  const path = "/etcdserverpb.Maintenance/Hash";
  const schemas = { request: rpc.HashRequestSchema, answer: rpc.HashResponseSchema };
  return (await client.must({ path, ...schemas }, {})).hash;
}

test("a server killed before its first commit ends up as any other", async () => {
  let plain = 0;
  await withServer([], async (_server, client) => {
    plain = await backendHash(client); // commits first
  });
  // No commit by time: the kill finds nothing but the log.
  const flags = ["--backend-batch-interval", "1h"];
  await withServer(flags, async (server, client) => {
    await server.end("SIGKILL");
    await server.restart();
    assert.equal(await backendHash(client), plain);
  });
});

test("a stop with watches, compactions, hashes and ranges under way is clean", async () => {
  await withServer([], async (server, client) => {
    const success = Array.from({ length: 100 }, (_, i) => ({
      request: {
        case: "requestPut" as const,
        value: { key: utf8(`k${String(i)}`), value: new Uint8Array(1000) },
      },
    }));
    for (let i = 0; i < 60; i++) await client.must(methods.txn, { success });
    const stream = client.stream("/etcdserverpb.Watch/Watch");
    const value = { key: utf8("a"), rangeEnd: utf8("z"), startRevision: 1n };
    const requestUnion = { case: "createRequest" as const, value };
    const request = create(rpc.WatchRequestSchema, { requestUnion });
    stream.write(Buffer.from(toBinary(rpc.WatchRequestSchema, request)));
    const ended = once(stream, "error") as Promise<[{ code: number; details: string }]>;
    await once(stream, "data");
    await client.must(methods.compact, { revision: 55n });
    const open = [
      client.call(methods.compact, { revision: 56n, physical: true }),
      client.call(methods.hashKv, {}),
      client.call(methods.range, { key: utf8("a"), rangeEnd: utf8("z") }),
    ];
    assert.equal(await server.end("SIGTERM"), null); // by the signal, not by an exit code
    await Promise.all(open);
    const [{ code, details }] = await ended;
    assert.deepEqual([code, details], [14, "etcdserver: server stopped"]);
    assert.doesNotMatch(server.log(), /"(error|fatal)"/);
    await server.restart();
    const { count } = await client.must(methods.range, { key: utf8("a"), rangeEnd: utf8("z") });
    assert.equal(count, 100n);
  });
});

test("a full quota raises the alarm; compaction, defragment and disarm end it", async () => {
  await withServer(["--quota-backend-bytes", String(4 * kib * kib)], async (server, client) => {
    const key = utf8("k");
    const value = new Uint8Array(512 * kib);
    const put = (): Promise<unknown> => client.call(methods.put, { key, value });
    let refused: unknown = null;
    for (let i = 0; i < 20 && !(refused instanceof Failure); i++) refused = await put();
    assert.ok(refused instanceof Failure);
    assert.deepEqual(
      [refused.code, refused.message],
      [8, "etcdserver: mvcc: database space exceeded"],
    );
    const { alarms } = await client.must(methods.alarm, {});
    assert.deepEqual(
      alarms.map((a) => a.alarm),
      [rpc.AlarmType.NOSPACE],
    );
    const health = await fetch(`http://${server.endpoint}/health`);
    assert.deepEqual(await health.json(), { health: "false", reason: "ALARM NOSPACE" });
    assert.ok((await client.call(methods.leaseGrant, { TTL: 10n })) instanceof Failure);
    // Reads and what frees space go on, after a restart too.
    const { header } = await client.must(methods.deleteRange, { key });
    await client.must(methods.compact, { revision: header!.revision, physical: true });
    await client.must(methods.defragment, {});
    assert.ok((await put()) instanceof Failure);
    const { dbSizeInUse, errors } = await client.must(methods.status, {});
    assert.ok(dbSizeInUse < 1024n * 1024n, String(dbSizeInUse));
    assert.equal(errors.length, 1);
    const disarm = { action: rpc.AlarmRequest_AlarmAction.DEACTIVATE, ...alarms[0]! };
    await client.must(methods.alarm, {
      ...{ action: disarm.action, memberID: disarm.memberID, alarm: disarm.alarm },
    });
    assert.ok(!((await put()) instanceof Failure));
  });
});
