import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { ClientPort, ClientPortOptions } from "../../src/server/rpc/grpc-server.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { parseListenUrl } from "../../src/server/rpc/listen-url.ts";
import { createEchoServer, echoMethods } from "./echo-server.ts";
import { makeCertificate } from "./self-signed.ts";
import type { TestCertificate } from "./self-signed.ts";

function listen(server: ClientPort, url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.listen(url, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

async function withServer(
  url: string,
  options: Partial<ClientPortOptions>,
  run: (port: number, server: ClientPort) => Promise<void>,
): Promise<void> {
  const server = createEchoServer(options);
  const port = await listen(server, url);
  try {
    await run(port, server);
  } finally {
    await new Promise<void>((resolve) => {
      server.close(50, resolve);
    });
  }
  assert.equal(server.stats.connections, 0);
  assert.equal(server.stats.handshakesPending, 0);
}

const same = (bytes: Buffer): Buffer => bytes;

function echo(target: string, credentials = grpc.credentials.createInsecure()): Promise<string> {
  const client = new grpc.Client(target, credentials);
  // On a busy machine a client may miss a server's short bounds: it tries again.
  const metadata = new grpc.Metadata({ waitForReady: true });
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    const body = Buffer.from("hello");
    const path = "/echo.Echo/Unary";
    client.makeUnaryRequest(path, same, same, body, metadata, options, (error, answer) => {
      client.close();
      resolve(error === null ? String(answer) : `error ${error.code}`);
    });
  });
}

function get(request: http.ClientRequest): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () => {
        resolve({ status: response.statusCode!, body });
      });
    });
    request.end();
  });
}

const closed = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => {
      resolve();
    });
    socket.resume();
  });

test("gRPC and HTTP/1.1 share a plain port, on IPv4, IPv6 and a unix socket", async () => {
  await withServer("http://127.0.0.1:0", {}, async (port, server) => {
    assert.equal(await echo(`127.0.0.1:${port}`), "hello");
    const { status, body } = await get(http.get({ port, path: "/version?a=b", agent: false }));
    assert.deepEqual([status, body], [200, "GET /version a=b "]);
    assert.ok(server.stats.bytesIn > 0 && server.stats.bytesOut > 0);
    assert.equal(server.methods.get("/echo.Echo/Unary")!.handled[0], 1);
  });
  await withServer("http://[::1]:0", {}, async (port) => {
    assert.equal(await echo(`[::1]:${port}`), "hello");
  });
  const folder = mkdtempSync(join(tmpdir(), "http2-"));
  const path = join(folder, "client.sock");
  await withServer(`unix://${path}`, {}, async () => {
    assert.ok(existsSync(path));
    assert.equal(await echo(`unix:${path}`), "hello");
    const { body } = await get(http.get({ socketPath: path, path: "/x", agent: false }));
    assert.equal(body, "GET /x  ");
  });
  rmSync(folder, { recursive: true });
});

test("a request over HTTP/1.1 may come in pieces, have a body, and be one of many", async () => {
  await withServer("http://127.0.0.1:0", {}, async (port) => {
    const socket = net.connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    const pieces = ["P", "OST /a HTTP/1.1\r\nHost: x\r\nConte", "nt-Length: 4\r\n\r\nbo", "dy"];
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write("GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await closed(socket);
    assert.match(text, /POST \/a {2}body[\s\S]*GET \/b/);
  });
});

test("bytes that are neither protocol close the connection, nobody else's", async () => {
  await withServer("http://127.0.0.1:0", {}, async (port) => {
    for (const garbage of ["\x16\x03\x01\x02\x00\x01", "PRI * HTTP/2.0\r\n\r\nXX", "\0\0\0\0"]) {
      const socket = net.connect(port, "127.0.0.1");
      socket.write(Buffer.from(garbage, "latin1"));
      await closed(socket);
    }
    const reset = net.connect(port, "127.0.0.1", () => {
      reset.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      reset.resetAndDestroy();
    });
    await closed(reset);
    assert.equal(await echo(`127.0.0.1:${port}`), "hello");
  });
});

test("a silent connection is closed in time, plain or in its handshake", async () => {
  const listenerLimits = { firstBytesMs: 150, handshakeMs: 150 };
  await withServer("http://127.0.0.1:0", { listenerLimits }, async (port) => {
    await closed(net.connect(port, "127.0.0.1"));
    assert.equal(await echo(`127.0.0.1:${port}`), "hello");
  });
  const certificate = makeCertificate("localhost");
  const options = { listenerLimits, tls: certificate };
  await withServer("https://127.0.0.1:0", options, async (port, server) => {
    await closed(net.connect(port, "127.0.0.1"));
    assert.equal(server.stats.handshakesFailed, 1);
    assert.equal(await echo(`localhost:${port}`, trusting(certificate)), "hello");
  });
});

test("an HTTP/1.1 request that never ends, or is too large, is cut off", async () => {
  const short = { http1Limits: { headersMs: 100, requestMs: 200 } };
  await withServer("http://127.0.0.1:0", short, async (port) => {
    const slow = net.connect(port, "127.0.0.1");
    slow.write("GET / HTTP/1.1\r\nHost: x\r\n");
    const dribble = setInterval(() => slow.write("x: y\r\n"), 20);
    await closed(slow);
    clearInterval(dribble);
    assert.equal(await echo(`127.0.0.1:${port}`), "hello");
  });
  const small = { http1Limits: { bodyBytesMax: 1000 } };
  await withServer("http://127.0.0.1:0", small, async (port) => {
    const large = http.request({ port, method: "POST", path: "/", agent: false });
    large.write(Buffer.alloc(1001));
    const { status } = await get(large);
    assert.equal(status, 413);
    assert.equal(await echo(`127.0.0.1:${port}`), "hello");
  });
});

test("a unix socket left behind is replaced, any other file is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "http2-"));
  const path = join(folder, "file");
  writeFileSync(path, "precious");
  await assert.rejects(listen(createEchoServer(), `unix://${path}`), /EADDRINUSE/);
  assert.equal(readFileSync(path, "utf8"), "precious");
  rmSync(folder, { recursive: true });
});

test("connections above the bounds are refused", async () => {
  await withServer(
    "http://127.0.0.1:0",
    { listenerLimits: { connectionsMax: 2 } },
    async (port, s) => {
      const first = net.connect(port, "127.0.0.1");
      const second = net.connect(port, "127.0.0.1");
      await Promise.all(
        [first, second].map((x) => new Promise((resolve) => x.on("connect", resolve))),
      );
      await closed(net.connect(port, "127.0.0.1"));
      assert.equal(s.stats.connectionsRefused, 1);
      first.destroy();
      second.destroy();
      await Promise.all([closed(first), closed(second)]);
      assert.equal(await echo(`127.0.0.1:${port}`), "hello");
    },
  );
  const tlsOptions = {
    tls: makeCertificate("localhost"),
    listenerLimits: { pendingHandshakesMax: 1 },
  };
  await withServer("https://127.0.0.1:0", tlsOptions, async (port, server) => {
    const half = net.connect(port, "127.0.0.1");
    await new Promise((resolve) => half.on("connect", resolve));
    await closed(net.connect(port, "127.0.0.1"));
    assert.equal(server.stats.connectionsRefused, 1);
    half.destroy();
    await closed(half);
  });
});

function trusting(ca: TestCertificate, own?: TestCertificate): grpc.ChannelCredentials {
  const root = Buffer.from(ca.cert);
  if (own === undefined) return grpc.credentials.createSsl(root);
  return grpc.credentials.createSsl(root, Buffer.from(own.key), Buffer.from(own.cert));
}

/** What a client meets first: the server's settings ("served"), an error's code, or the end. */
function firstEvent(port: number, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: "localhost", ALPNProtocols: ["h2"], ...options });
    socket.once("data", () => {
      resolve("served");
      socket.destroy();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    socket.once("close", () => {
      resolve("closed");
    });
  });
}

test("TLS serves HTTP/2 and HTTP/1.1 by ALPN, and nothing below 1.2", async () => {
  const certificate = makeCertificate("localhost");
  await withServer("https://127.0.0.1:0", { tls: certificate }, async (port) => {
    assert.equal(await echo(`localhost:${port}`, trusting(certificate)), "hello");
    const options = { port, ca: certificate.cert, path: "/v", agent: false, host: "localhost" };
    assert.equal((await get(https.get(options))).body, "GET /v  ");
    const session = http2.connect(`https://localhost:${port}`, { ca: certificate.cert });
    const stream = session.request({ ":path": "/over/h2" });
    let body = "";
    for await (const part of stream) body += String(part);
    assert.equal(body, "GET /over/h2  ");
    session.close();
    const old = tls.connect({
      port,
      host: "127.0.0.1",
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      rejectUnauthorized: false,
    });
    await closed(old);
    assert.equal(old.authorized, false);
  });
});

test("with a trusted CA, clients need a certificate, and its common name is known", async () => {
  const ca = makeCertificate("test CA");
  const serverCertificate = makeCertificate("localhost", ca);
  const clientCertificate = makeCertificate("alice", ca);
  const stranger = makeCertificate("mallory");
  const names: string[] = [];
  const methods = echoMethods.map((method) => ({
    ...method,
    message: (call: Parameters<typeof method.message>[0], bytes: Uint8Array): void => {
      names.push(call.commonName);
      method.message(call, bytes);
    },
  }));
  const options = { methods, tls: { ...serverCertificate, trustedCa: ca.cert } };
  await withServer("https://127.0.0.1:0", options, async (port, server) => {
    assert.equal(await echo(`localhost:${port}`, trusting(ca, clientCertificate)), "hello");
    assert.deepEqual(names, ["alice"]);
    assert.notEqual(await firstEvent(port, { ca: ca.cert }), "served");
    const { cert, key } = stranger;
    assert.notEqual(await firstEvent(port, { ca: ca.cert, cert, key }), "served");
    assert.deepEqual(names, ["alice"]);
    assert.equal(server.stats.handshakesFailed, 2);
  });
});

test("closing lets a running call end and refuses new connections", async () => {
  let finish = (): void => undefined;
  const method = {
    path: "/echo.Echo/Late",
    clientStreaming: false,
    serverStreaming: false,
    message: (call: Parameters<(typeof echoMethods)[0]["message"]>[0]): void => {
      finish = () => {
        const text = utf8("late");
        call.reply(text, 0, text.length);
      };
    },
  };
  const server = createEchoServer({ methods: [method] });
  const port = await listen(server, "http://127.0.0.1:0");
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const body = Buffer.alloc(0);
  const answer = new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest("/echo.Echo/Late", same, same, body, (error, got) => {
      if (error === null) resolve(String(got));
      else reject(error);
    });
  });
  await new Promise<void>((resolve) => {
    const wait = (): void => {
      if (server.methods.get("/echo.Echo/Late")!.received > 0) resolve();
      else setImmediate(wait);
    };
    wait();
  });
  const isClosed = new Promise<void>((resolve) => {
    server.close(5000, resolve);
  });
  await new Promise((resolve) => setImmediate(resolve));
  finish();
  assert.equal(await answer, "late");
  client.close();
  await isClosed;
});

test("listen URLs: what is taken and what is said to others", () => {
  assert.deepEqual(parseListenUrl("http://[::]:2379"), {
    ...{ kind: "tcp", host: "::", port: 2379, isTls: false },
  });
  assert.deepEqual(parseListenUrl("unixs:///run/x.sock"), {
    ...{ kind: "unix", path: "/run/x.sock", isTls: true },
  });
  for (const bad of ["2379", "http://x", "ftp://x:1", "http://x:99999", "http://a:b:1"]) {
    assert.equal(typeof parseListenUrl(bad), "string", bad);
  }
});

test("a port in use, or TLS without a certificate, is reported", async () => {
  await withServer("http://127.0.0.1:0", {}, async (port) => {
    const second = createEchoServer();
    await assert.rejects(listen(second, `http://127.0.0.1:${port}`), /EADDRINUSE/);
    await assert.rejects(listen(second, "https://127.0.0.1:0"), /no certificate/);
  });
});
