import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createHttpGet, type HttpGetAnswer } from "./node-http-get.ts";

const get = createHttpGet(null);
const ask = (url: string, timeoutMs = 5000): Promise<HttpGetAnswer> =>
  new Promise((resolve, reject) => {
    get(url, timeoutMs, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(error);
    });
  });

async function withServer(
  handler: http.RequestListener,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = http.createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("an answer comes with its status, cluster id and body", async () => {
  const handler: http.RequestListener = (request, response) => {
    response.writeHead(203, { "X-Etcd-Cluster-ID": "abc" }).end(request.url);
  };
  await withServer(handler, async (url) => {
    const { status, clusterId, body } = await ask(`${url}/members`);
    assert.deepEqual([status, clusterId], [203, "abc"]);
    assert.equal(new TextDecoder().decode(body), "/members");
  });
});

test("a redirect is an answer and not followed", async () => {
  const handler: http.RequestListener = (_request, response) => {
    response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
  };
  await withServer(handler, async (url) => {
    const { status, clusterId } = await ask(url);
    assert.deepEqual([status, clusterId], [302, ""]);
  });
});

test("silence, a broken answer and a port without a listener are failures", async () => {
  let dead = "";
  const handler: http.RequestListener = (request, response) => {
    if (request.url === "/silent") return;
    response.writeHead(200, { "content-length": "10" });
    response.write("half", () => response.destroy());
  };
  await withServer(handler, async (url) => {
    dead = url;
    await assert.rejects(ask(`${url}/silent`, 20), /no answer within 20 ms/);
    await assert.rejects(ask(`${url}/broken`));
  });
  await assert.rejects(ask(dead), /ECONNREFUSED/);
  await assert.rejects(ask("unix:///tmp/x"), /Protocol "unix:" not supported/);
});
