// Real connections to a gRPC server in this process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";

import type { Method } from "../../src/client/caller.ts";
import { clientSettings, type ClientOptions } from "../../src/client/client-options.ts";
import { Connection } from "../../src/client/connection.ts";
import * as errors from "../../src/client/errors.ts";
import { makeCertificate } from "../http2/self-signed.ts";

const ca = makeCertificate("test-ca");
const serverPair = makeCertificate("etcd.test", ca);
const clientPair = makeCertificate("root", ca);
const strangerCa = makeCertificate("stranger-ca");

const echo: Method<Uint8Array, Uint8Array> = {
  path: "/test.Echo/Echo",
  retry: "write",
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
};
const hello = new TextEncoder().encode("hello");

interface Echo {
  readonly server: Server;
  readonly address: string;
  /** User agents that called. */
  readonly agents: string[];
}

async function startEcho(
  context: TestContext,
  credentials = ServerCredentials.createInsecure(),
  address = "127.0.0.1:0",
): Promise<Echo> {
  const server = new Server();
  const agents: string[] = [];
  const identity = (bytes: Buffer): Buffer => bytes;
  const definition = {
    Echo: {
      path: echo.path,
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  } as const;
  server.addService(definition, {
    Echo(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      agents.push(String(call.metadata.get("user-agent")[0]));
      done(null, call.request);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  context.after(() => server.forceShutdown());
  return { server, address: address.startsWith("unix") ? address : `127.0.0.1:${port}`, agents };
}

function connect(context: TestContext, options: ClientOptions): Connection {
  const connection = new Connection(clientSettings({ timeoutMs: 5_000, ...options }));
  context.after(() => connection.close());
  return connection;
}

function tlsServer(requireClient: boolean, { cert, key } = serverPair): ServerCredentials {
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(Buffer.from(ca.cert), [pair], requireClient);
}

/** How a stream fails, as soon as no endpoint could be connected. */
async function failure(context: TestContext, options: ClientOptions): Promise<string> {
  const connection = connect(context, options);
  const error = await new Promise<Error>((failed, reject) => {
    const unexpected = (): void => reject(new Error("the stream opened"));
    connection.caller.open(echo, { message: unexpected, ended: unexpected, failed });
  });
  assert.ok(error instanceof errors.ConnectionError, String(error));
  connection.close();
  return error.message;
}

test("calls go over TCP and over a unix socket", async (context) => {
  const tcp = await startEcho(context);
  const folder = mkdtempSync(join(tmpdir(), "quorate-client-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const unix = await startEcho(context, undefined, `unix:${join(folder, "s")}`);
  for (const endpoints of [tcp.address, `http://${tcp.address}`, unix.address]) {
    const connection = connect(context, { endpoints, userAgent: "me/1" });
    assert.deepEqual(await connection.caller.call(echo, hello), hello);
  }
  assert.match(tcp.agents[0]!, /^me\/1 grpc-node-js/u);
});

test("messages of megabytes pass, up to the limit", async (context) => {
  const { address } = await startEcho(context);
  const connection = connect(context, { endpoints: address, responseBytesMax: 1_000_000 });
  const large = new Uint8Array(1_000_000).fill(7);
  assert.deepEqual(await connection.caller.call(echo, large), large);
  const larger = connection.caller.call(echo, new Uint8Array(1_000_001));
  await assert.rejects(larger, errors.MessageTooLargeError);
});

test("TLS trusts the given authority, checks the host, shows the client", async (context) => {
  const plain = await startEcho(context, tlsServer(false));
  const mutual = await startEcho(context, tlsServer(true));
  const { cert, key } = clientPair;
  const trusted: [string, ClientOptions["tls"]][] = [
    [`https://${plain.address}`, { ca: ca.cert }],
    [plain.address, { ca: Buffer.from(ca.cert) }],
    [plain.address.replace("127.0.0.1", "https://localhost"), { ca: [strangerCa.cert, ca.cert] }],
    [`https://${plain.address}`, { ca: ca.cert, serverName: "localhost" }],
    [`https://${plain.address}`, { insecureSkipVerify: true }],
    [`https://${mutual.address}`, { ca: ca.cert, cert, key }],
    [`https://${mutual.address}`, () => ({ ca: ca.cert, cert, key })],
  ];
  for (const [endpoints, tls] of trusted) {
    const connection = connect(context, { endpoints, ...(tls === undefined ? {} : { tls }) });
    assert.deepEqual(await connection.caller.call(echo, hello), hello, endpoints);
  }
});

test("a failed handshake is told with its reason", async (context) => {
  const { address } = await startEcho(context, tlsServer(false));
  const endpoints = `https://${address}`;
  assert.match(await failure(context, { endpoints }), /unable to|self.signed/u);
  const stranger = await failure(context, { endpoints, tls: { ca: strangerCa.cert } });
  assert.match(stranger, /unable to|self.signed/u);
  assert.ok(stranger.includes(endpoints));
  const name = await failure(context, { endpoints, tls: { ca: ca.cert, serverName: "other" } });
  assert.match(name, /does not match certificate/u);
  const expired = await startEcho(context, tlsServer(false, makeCertificate("old", ca, 2021)));
  const old = await failure(context, {
    endpoints: `https://${expired.address}`,
    tls: { ca: ca.cert },
  });
  assert.match(old, /certificate has expired/u);
  const key = await failure(context, { endpoints, tls: { cert: "no", key: "pem" } });
  assert.match(key, /PEM/u);
  assert.match(await failure(context, { endpoints: `http://${address}` }), /http:\/\/127/u);
  const plain = await startEcho(context);
  assert.match(await failure(context, { endpoints: `https://${plain.address}` }), /https:\/\/127/u);
});

/** The address of a server that greets with this text and does no more. */
async function startTalker(context: TestContext, greeting: string): Promise<string> {
  const server = createServer();
  const sockets: Socket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.write(greeting);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a wrong, closed or mute endpoint is told with its reason in time", async (context) => {
  const mute = await startTalker(context, "");
  assert.match(
    await failure(context, { endpoints: mute, connectTimeoutMs: 100 }),
    /no connection within 100 ms/u,
  );
  const old = await startTalker(context, "HTTP/1.1 400 Bad Request\r\n\r\n");
  assert.match(await failure(context, { endpoints: old }), /Protocol error/u);
  assert.match(await failure(context, { endpoints: "127.0.0.1:1" }), /ECONNREFUSED 127.0.0.1:1/u);
  assert.match(await failure(context, { endpoints: "unix:/nowhere/s" }), /ENOENT/u);
  const both = await failure(context, { endpoints: "127.0.0.1:1,unix:/nowhere/s" });
  assert.match(both, /127\.0\.0\.1:1: .*ECONNREFUSED.*; unix:\/nowhere\/s: .*ENOENT/u);
});

test("a list that is partly wrong works", async (context) => {
  const { address } = await startEcho(context);
  const endpoints = ["127.0.0.1:1", address, "unix:/nowhere/s"];
  const connection = connect(context, { endpoints });
  for (let i = 0; i < 10; i++) assert.deepEqual(await connection.caller.call(echo, hello), hello);
});

test("a server that comes back is found again", async (context) => {
  const first = await startEcho(context);
  const connection = connect(context, { endpoints: first.address });
  await connection.caller.call(echo, hello);
  first.server.forceShutdown();
  const waiting = connection.caller.call(echo, hello);
  await startEcho(context, undefined, first.address);
  // A call that was on its way when the connection broke may fail; it was a write.
  await waiting.catch((error: unknown) => assert.ok(error instanceof errors.ConnectionError));
  assert.deepEqual(await connection.caller.call(echo, hello), hello);
});

test("an unknown method is told as such", async (context) => {
  const { address } = await startEcho(context);
  const connection = connect(context, { endpoints: address });
  const unknown = connection.caller.call({ ...echo, path: "/test.Echo/Other" }, hello);
  await assert.rejects(unknown, errors.UnimplementedError);
});

test("two connections to one server are independent", async (context) => {
  const { address } = await startEcho(context);
  const first = connect(context, { endpoints: address });
  const second = connect(context, { endpoints: address });
  await Promise.all([first.caller.call(echo, hello), second.caller.call(echo, hello)]);
  first.close();
  assert.deepEqual(await second.caller.call(echo, hello), hello);
  await assert.rejects(first.caller.call(echo, hello), errors.ClientClosedError);
});
