// One server process takes everything that no client should send. BI1: after each test the same
// process serves, has what it had, and has not grown.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { connect, constants } from "node:http2";
import { createConnection, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";

import { utf8 } from "../../src/base/bytes.ts";
import { RangeRequestSchema, WatchRequestSchema } from "../../src/gen/rpc_pb.js";
import { quorateProgram, startServer, type Server } from "../conformance/servers.ts";
import { badAnswers } from "./bad-answers.ts";
import { badRequests } from "./bad-requests.ts";
import { Failure, methods, TestClient } from "./client.ts";

const mib = 1024 * 1024;
/** Of resident memory, over the whole file; V8 gives memory back late. */
const growthBytesMax = 200 * mib;
const keptKey = utf8("kept");
const blobs = { key: utf8("blob/"), rangeEnd: utf8("blob0") };
const blobCount = 32;

let server: Server;
let client: TestClient;
let pid: number;
let startBytes: number;

const residentBytes = (): number =>
  Number(readFileSync(`/proc/${String(server.pid)}/statm`, "utf8").split(" ")[1]) * 4096;

before(async () => {
  const flags = ["--log-level", "error"];
  server = await startServer({ label: "bad-input", program: quorateProgram, flags });
  client = new TestClient(server.endpoint);
  pid = server.pid;
  await client.must(methods.put, { key: keptKey, value: utf8("1") });
  for (let i = 0; i < blobCount; i++) {
    const value = new Uint8Array(mib).fill(i);
    await client.must(methods.put, { key: utf8(`blob/${String(i)}`), value });
  }
  startBytes = residentBytes();
});

afterEach(async () => {
  const { kvs } = await client.must(methods.range, { key: keptKey });
  assert.equal(Buffer.from(kvs[0]!.value).toString(), "1");
  assert.equal(server.pid, pid);
  const grown = residentBytes() - startBytes;
  assert.ok(grown < growthBytesMax, `grown by ${String(Math.round(grown / mib))} MiB`);
});

after(async () => {
  client.close();
  assert.equal(server.log(), "");
  await server.close();
});

test("every bad request gets etcd's code and text", async () => {
  const found: Record<string, string[]> = {};
  for (const { name, path, bytes } of badRequests()) {
    const outcome = await client.raw(path, bytes);
    const text = outcome instanceof Failure ? `${String(outcome.code)} ${outcome.message}` : "ok";
    // Go writes this prefix with either kind of space.
    (found[text.replace("\u00a0", " ")] ??= []).push(name);
  }
  for (const names of Object.values(found)) names.sort();
  assert.deepEqual(found, badAnswers);
});

function framed(flag: number, message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

interface Answer {
  readonly status: unknown;
  readonly grpc: string;
}

async function post(
  session: ClientHttp2Session,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const stream = session.request({
    ":method": "POST",
    ":path": methods.range.path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let seen: Record<string, unknown> = {};
  stream.on("response", (head) => (seen = { ...seen, ...head }));
  stream.on("trailers", (trailers) => (seen = { ...seen, ...trailers }));
  stream.resume();
  stream.end(body);
  await once(stream, "close");
  const grpc = `${String(seen["grpc-status"])} ${String(seen["grpc-message"])}`;
  return { status: seen[":status"], grpc };
}

test("framing and encodings that are wrong end the call alone", async () => {
  const session = connect(`http://${server.endpoint}`);
  const good = framed(0, toBinary(RangeRequestSchema, create(RangeRequestSchema, blobs)));
  const refusedType = '415 3 invalid gRPC request content-type "application/grpc-web"';
  const gzip = { "grpc-encoding": "gzip" };
  const cases: [string, Buffer, Record<string, string>, string][] = [
    ["plain text", good, { "content-type": "text/plain" }, "404 undefined undefined"],
    ["grpc-web", good, { "content-type": "application/grpc-web" }, refusedType],
    [
      ...(["a bomb", framed(1, gzipSync(Buffer.alloc(64 * mib))), gzip] as const),
      "200 8 grpc: received message after decompression larger than max 2097152",
    ],
    [
      ...(["no gzip", framed(1, Buffer.from("hello")), gzip] as const),
      "200 13 grpc: failed to decompress the message: incorrect header check",
    ],
    [
      ...(["unasked gzip", framed(1, Buffer.from("hello")), {}] as const),
      "200 13 grpc: compressed flag set with identity or empty encoding",
    ],
    [
      ...(["an unknown flag", framed(2, Buffer.from("hello")), {}] as const),
      "200 13 grpc: received unexpected payload format 2",
    ],
    [
      ...(["an unknown encoding", good, { "grpc-encoding": "snappy" }] as const),
      '200 12 grpc: Decompressor is not installed for grpc-encoding "snappy"',
    ],
    [
      ...(["4 GiB announced", Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), {}] as const),
      "200 8 grpc: received message larger than max (4294967295 vs. 2097152)",
    ],
    [
      ...(["a bad timeout", good, { "grpc-timeout": "1x" }] as const),
      '400 13 malformed grpc-timeout: transport: timeout unit is not recognized: "1x"',
    ],
  ];
  for (const [name, body, headers, wanted] of cases) {
    const { status, grpc } = await post(session, body, headers);
    assert.equal(`${String(status)} ${grpc}`, wanted, name);
  }
  session.close();
});

async function watcherCount(): Promise<number> {
  const text = await (await fetch(`http://${server.endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(text)?.[1]);
}

const watchPath = "/etcdserverpb.Watch/Watch";
const watchRequest = (key: Uint8Array, startRevision = 0n): Uint8Array => {
  const requestUnion = { case: "createRequest" as const, value: { key, startRevision } };
  return toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion }));
};

/** Resolves when the metric says so; the server counts on the next turn at the latest. */
async function watchersBecome(count: number): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while ((await watcherCount()) !== count) deadline.throwIfAborted();
}

test("a malformed message ends a watch stream, and its watches with it", async () => {
  const stream = client.stream(watchPath);
  stream.write(Buffer.from(watchRequest(keptKey)));
  await once(stream, "data");
  assert.equal(await watcherCount(), 1);
  stream.write(Buffer.of(0x0a, 0x7f));
  const [error] = (await once(stream, "error")) as [{ code: number; details: string }];
  assert.equal(error.code, 13);
  assert.match(error.details, /^grpc: failed to unmarshal the received message: proto:/);
  await watchersBecome(0);
});

test("a malformed message ends a keep-alive stream", async () => {
  const stream = client.stream("/etcdserverpb.Lease/LeaseKeepAlive");
  stream.on("data", () => undefined);
  stream.write(Buffer.of(0x08));
  const [error] = (await once(stream, "error")) as [{ code: number }];
  assert.equal(error.code, 13);
});

test("twenty thousand watches on one stream are served, and gone with it", async () => {
  const count = 20_000;
  const stream = client.stream(watchPath);
  let [created, events] = [0, 0];
  const all = new Promise<void>((resolve) => {
    stream.on("data", (bytes: Buffer) => {
      if (bytes.length < 60) created++;
      else events++;
      if (created === count && events === 0) {
        void client.must(methods.put, { key: utf8("watched"), value: new Uint8Array(50) });
      }
      if (events === count) resolve();
    });
  });
  stream.on("error", () => undefined);
  const request = Buffer.from(watchRequest(utf8("watched")));
  for (let i = 0; i < count; i++) stream.write(request);
  await all;
  assert.equal(await watcherCount(), count);
  stream.cancel();
  await watchersBecome(0);
});

test("clients that read nothing do not hold up others, nor memory", async () => {
  // Their windows stay shut: answers of 32 MiB each wait in the server.
  const settings = { initialWindowSize: 0 };
  const sessions = Array.from({ length: 4 }, () =>
    connect(`http://${server.endpoint}`, { settings }),
  );
  const body = framed(0, toBinary(RangeRequestSchema, create(RangeRequestSchema, blobs)));
  const streams: ClientHttp2Stream[] = [];
  const headers = {
    ":method": "POST",
    ":path": methods.range.path,
    "content-type": "application/grpc",
  };
  for (const session of sessions) {
    for (let i = 0; i < 20; i++) {
      const stream = session.request(headers);
      stream.on("error", () => undefined);
      stream.end(body);
      streams.push(stream);
    }
  }
  await Promise.all(streams.slice(0, 10).map((stream) => once(stream, "response")));
  for (let i = 0; i < 20; i++)
    await client.must(methods.range, { key: keptKey, rangeEnd: utf8("l") });
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  for (const session of sessions) session.destroy();
  // What they held is free again.
  const { kvs } = await client.must(methods.range, blobs);
  assert.equal(kvs.length, blobCount);
});

test("connections that say nothing, or break off, cost little", async () => {
  const [host, port] = server.endpoint.split(":");
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const texts = ["", preface.slice(0, 9), preface, `${preface}\0\0\0`, "GET /health", "\x16\x03"];
  const sockets: Socket[] = [];
  for (let i = 0; i < 300; i++) {
    const socket = createConnection(Number(port), host);
    socket.on("error", () => undefined);
    socket.write(texts[i % texts.length]!);
    sockets.push(socket);
  }
  for (const socket of sockets) if (socket.connecting) await once(socket, "connect");
  await client.must(methods.range, { key: keptKey });
  for (const socket of sockets) {
    if (socket.remotePort! % 2 === 0) socket.destroy();
    else socket.end();
  }
});
