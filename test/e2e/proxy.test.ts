import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test, type TestContext } from "node:test";

import { createRandom } from "../../src/base/random.ts";
import { PeerNetwork } from "./proxy.ts";

interface Link {
  readonly network: PeerNetwork;
  readonly server: Server;
  readonly dialler: Socket;
  readonly acceptor: Socket;
}

/** This process dials itself: it is member "a" in front of its own server. */
async function link(t: TestContext): Promise<Link> {
  const network = new PeerNetwork(createRandom(1));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(address !== null && typeof address === "object");
  const port = await network.add("a", () => process.pid);
  network.setTarget("a", address.port);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const dialler = connect(port, "127.0.0.1");
  const [acceptor] = await accepted;
  for (const socket of [dialler, acceptor]) socket.on("error", () => undefined); // a reset is due
  t.after(() => {
    network.close();
    for (const socket of [dialler, acceptor]) socket.destroy();
    server.close();
  });
  return { network, server, dialler, acceptor };
}

/** The reset that may come before does not matter. */
async function closed(...sockets: readonly Socket[]): Promise<void> {
  const all = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  await Promise.all(all);
}

async function next(socket: Socket): Promise<string> {
  const [data] = (await once(socket, "data")) as [Uint8Array];
  return Buffer.from(data).toString();
}

test("a whole link passes bytes both ways and the end of them", async (t) => {
  const { dialler, acceptor } = await link(t);
  dialler.write("there");
  assert.equal(await next(acceptor), "there");
  acceptor.write("and back");
  assert.equal(await next(dialler), "and back");
  const ended = once(acceptor, "end");
  acceptor.resume();
  dialler.end();
  await ended;
});

test("a held link passes nothing until it is healed, then everything in order", async (t) => {
  const { network, dialler, acceptor } = await link(t);
  network.set("a", "a", { cut: "hold" });
  let got = "";
  acceptor.on("data", (data: Uint8Array) => (got += Buffer.from(data).toString()));
  await new Promise((resolve) => dialler.write("1", resolve));
  await new Promise((resolve) => dialler.write("2", resolve));
  dialler.end();
  assert.equal(got, "");
  network.heal();
  await once(acceptor, "end");
  assert.equal(got, "12");
});

test("a reset link ends its connections", async (t) => {
  const { network, dialler, acceptor } = await link(t);
  const end = closed(dialler, acceptor);
  network.set("a", "a", { cut: "reset" });
  await end;
  assert.equal(network.resets, 1);
});

test("a late link passes on no earlier than told", async (t) => {
  const { network, dialler, acceptor } = await link(t);
  const delayMs = 40;
  network.set("a", "a", { delayMs });
  const begin = performance.now();
  dialler.write("late");
  assert.equal(await next(acceptor), "late");
  assert(performance.now() - begin >= delayMs - 1);
});

test("a lossy link ends a connection that carries data", async (t) => {
  const { network, dialler, acceptor } = await link(t);
  network.set("a", "a", { resetPerMille: 1000 });
  const end = closed(dialler, acceptor);
  dialler.write("never there");
  await end;
  assert.equal(acceptor.bytesRead, 0);
});

test("a stranger's connection is refused", async (t) => {
  const network = new PeerNetwork(createRandom(1));
  t.after(() => {
    network.close();
  });
  const port = await network.add("a", () => -1);
  const dialler = connect(port, "127.0.0.1");
  dialler.on("error", () => undefined); // a reset is due
  await closed(dialler);
});
