// Client listeners of a whole process: TLS from files, client certificates, IPv6, unix sockets.
import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import { request as http1Request } from "node:http";
import { connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { credentials, type ChannelCredentials } from "@grpc/grpc-js";

import { utf8 } from "../../src/base/bytes.ts";
import { freePort } from "../conformance/servers.ts";
import { makeCertificate, type TestCertificate } from "../http2/self-signed.ts";
import { Failure, methods, TestClient } from "./client.ts";
import { serve } from "./process.ts";

let folder: string;
const ca = makeCertificate("ca");
const own = makeCertificate("localhost", ca);
const user = makeCertificate("alice", ca);

before(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "quorate-flags-"));
  for (const [name, { cert, key }] of Object.entries({ ca, own })) {
    fs.writeFileSync(join(folder, `${name}.crt`), cert);
    fs.writeFileSync(join(folder, `${name}.key`), key);
  }
});

after(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const file = (name: string): string => join(folder, name);
const ownFlags = (): string[] => ["--cert-file", file("own.crt"), "--key-file", file("own.key")];

function tls(certificate?: TestCertificate): ChannelCredentials {
  const root = Buffer.from(ca.cert);
  if (certificate === undefined) return credentials.createSsl(root);
  return credentials.createSsl(root, Buffer.from(certificate.key), Buffer.from(certificate.cert));
}

/** Puts and reads a key; the failure's code if that fails. */
async function tryPut(target: string, channel?: ChannelCredentials): Promise<number> {
  const client = new TestClient(target, channel);
  const answer = await client.call(methods.put, { key: utf8("k"), value: utf8("v") });
  client.close();

  return answer instanceof Failure ? answer.code : 0;
}

/** grpc-js does not verify a certificate for an address. */
const localTarget = (url: string): string => url.replace("https://127.0.0.1", "localhost");

const healthy = JSON.stringify({ health: "true", reason: "" });

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}

suite("client listeners", { concurrency: 2 }, () => {
  test("TLS serves gRPC, and /health over HTTP/1.1 and HTTP/2", async () => {
    const listenUrl = `https://127.0.0.1:${String(await freePort())}`;
    const outcome = await serve({
      ...{ dataDir: file("tls"), listenUrl, flags: ownFlags() },
      use: async (url) => {
        const target = localTarget(url);
        const request = httpsRequest(`${url}/health`, { ca: ca.cert }).end();
        const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
        const session = connect(url, { ca: ca.cert });
        const overHttp2 = await text(session.request({ ":path": "/health" }).end());
        session.close();
        return [await tryPut(target, tls()), await text(response), overHttp2];
      },
    });
    assert.deepEqual(outcome, { kind: "served", value: [0, healthy, healthy] });
  });

  test("--client-cert-auth wants a certificate of the trusted CA", async () => {
    const listenUrl = `https://127.0.0.1:${String(await freePort())}`;
    const flags = [...ownFlags(), "--client-cert-auth", "--trusted-ca-file", file("ca.crt")];
    const outcome = await serve({
      ...{ dataDir: file("mutual"), listenUrl, flags },
      use: async (url) => {
        const target = localTarget(url);
        const stranger = makeCertificate("alice");
        return [
          await tryPut(target, tls(user)),
          await tryPut(target, tls()),
          await tryPut(target, tls(stranger)),
        ];
      },
    });
    const unavailable = 14;
    assert.deepEqual(outcome, { kind: "served", value: [0, unavailable, unavailable] });
  });

  test("a certificate file that is missing, or no certificate, is named", async () => {
    const listenUrl = `https://127.0.0.1:${String(await freePort())}`;
    fs.writeFileSync(file("bad.crt"), "no certificate");
    for (const name of ["none.crt", "bad.crt"]) {
      const flags = ["--cert-file", file(name), "--key-file", file("own.key")];
      const use = (): Promise<void> => Promise.resolve();
      const outcome = await serve({ dataDir: file("bad"), listenUrl, flags, use });
      assert.ok(outcome.kind === "ended", name);
      assert.equal(outcome.code, 1);
      assert.ok(outcome.log.trim().split("\n").at(-1)?.includes(name), outcome.log.slice(-500));
    }
  });

  test("a URL of IPv6 is served", async () => {
    const listenUrl = `http://[::1]:${String(await freePort())}`;
    const outcome = await serve({
      ...{ dataDir: file("v6"), listenUrl },
      use: (url) => tryPut(url.slice("http://".length)),
    });
    assert.deepEqual(outcome, { kind: "served", value: 0 });
  });

  test("a unix socket is served, and taken over from a killed process", async () => {
    const socketPath = file("client.sock");
    for (let life = 0; life < 2; life++) {
      const outcome = await serve({
        ...{ dataDir: file("unix"), listenUrl: `unix://${socketPath}` },
        use: async (url) => {
          const request = http1Request({ socketPath, path: "/health" }).end();
          const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
          return [await tryPut(url), await text(response)];
        },
      });
      assert.deepEqual(outcome, { kind: "served", value: [0, healthy] });
    }
  });
});
