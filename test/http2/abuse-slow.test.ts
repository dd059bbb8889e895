import { test } from "node:test";
import assert from "node:assert/strict";
import { frameType, h2Error, preface, setting } from "../../src/http2/frame.ts";
import { utf8 } from "../../src/base/bytes.ts";
import type { GrpcCall, GrpcMethod } from "../../src/http2/types.ts";
import { echoMethods } from "./echo-server.ts";
import { goAwayOf, grpcMessage, isServed, SimWorld, u32 } from "./sim.ts";

// Clients that wait: with the preface, with a frame, with reading, with closing.

test("a connection without preface, or without SETTINGS, ends in time", () => {
  for (const first of [new Uint8Array(0), preface.slice(0, 20), preface]) {
    const world = new SimWorld();
    const client = world.connect();
    client.send(first);
    world.advance(9000);
    assert.ok(!client.isOver);
    world.advance(2000);
    assert.ok(client.isDestroyed);
    assert.ok(isServed(world));
  }
});

test("a bad preface ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect();
  client.send(utf8("PRI * HTTP/2.1\r\n"));
  assert.equal(goAwayOf(client.take())?.code, h2Error.protocol);
});

test("a client that reads nothing is let go, and its answers with it", () => {
  const world = new SimWorld({ slowReaderMs: 30_000 });
  const client = world.connect().greet();
  world.settle();
  client.isTaking = false;
  client.unary("/echo.Echo/Big", utf8("60000"));
  world.settle();
  world.advance(29_000);
  assert.ok(!client.isOver);
  world.advance(3000);
  assert.ok(client.isDestroyed);
  assert.equal(client.connection.outbound.queuedBytes, 0);
  assert.ok(isServed(world));
});

test("a client that opens no window is let go", () => {
  const world = new SimWorld({ slowReaderMs: 30_000 });
  const client = world.connect().greet([[setting.initialWindowSize, 0]]);
  client.unary("/echo.Echo/Big", utf8("60000"));
  world.advance(32_000);
  assert.ok(client.isDestroyed);
  assert.ok(isServed(world));
});

test("one that reads slowly but steadily is not", () => {
  const world = new SimWorld({ slowReaderMs: 30_000 });
  const client = world.connect().greet([[setting.initialWindowSize, 1000]]);
  const id = client.unary("/echo.Echo/Big", utf8("20000"));
  const body: number[] = [];
  for (let i = 0; i < 20; i++) {
    const data = client.take().filter((f) => f.type === frameType.data);
    for (const frame of data) body.push(frame.body.length);
    world.advance(10_000);
    client.frame(frameType.windowUpdate, 0, id, u32(1000));
  }
  for (const frame of client.take())
    if (frame.type === frameType.data) body.push(frame.body.length);
  assert.equal(
    body.reduce((a, b) => a + b, 0),
    20_005,
  );
  assert.ok(!client.isOver);
});

test("while the socket is full, reading stops and memory stays bounded", () => {
  const world = new SimWorld({ unsentBytesMax: 64 * 1024 });
  const client = world.connect().greet();
  world.settle();
  client.isTaking = false;
  let sent = 0;
  // A client that pipelines without reading; a real socket would stop being read.
  while (client.isRead && sent < 10_000) {
    client.unary("/echo.Echo/Unary", new Uint8Array(1000));
    world.settle();
    sent++;
  }
  assert.ok(sent < 200, `${sent} requests`);
  client.isTaking = true;
  client.drain();
  world.settle();
  assert.ok(client.isRead);
});

test("a service that sends to a stuck stream is told, and in the end cut off", () => {
  let call: GrpcCall | undefined;
  let isCancelled = false;
  const method: GrpcMethod = {
    path: "/test.Test/Pour",
    clientStreaming: true,
    serverStreaming: true,
    open: (opened) => {
      call = opened;
    },
    message: () => undefined,
    cancelled: () => {
      isCancelled = true;
    },
  };
  const limits = { pendingHighBytes: 50_000, pendingStreamBytesMax: 200_000 };
  const world = new SimWorld(limits, [...echoMethods, method]);
  const client = world.connect().greet([[setting.initialWindowSize, 0]]);
  client.open("/test.Test/Pour");
  const kilo = new Uint8Array(1000);
  let told = 0;
  for (let i = 1; i <= 1000 && !call!.done; i++) {
    if (!call!.send(kilo, 0, 1000) && told === 0) told = i;
    assert.ok(call!.pendingBytes <= 202_000);
  }
  assert.ok(told > 40 && told < 60, `told at ${told}`);
  assert.ok(call!.done && isCancelled);
  assert.ok(!client.connection.over);
  assert.ok(isServed(world));
});

test("a tiny window costs tiny frames, not memory, and others go on", () => {
  const world = new SimWorld();
  const slow = world.connect().greet([[setting.initialWindowSize, 1]]);
  const id = slow.unary("/echo.Echo/Big", utf8("100000"));
  for (let i = 0; i < 1000; i++) {
    slow.take();
    slow.frame(frameType.windowUpdate, 0, id, u32(1));
  }
  assert.ok(!slow.connection.over);
  assert.ok(isServed(world));
});

test("streams whose answers never leave are refused above the connection's bound", () => {
  const world = new SimWorld({ pendingConnectionBytesMax: 1_000_000 });
  const client = world.connect().greet([[setting.initialWindowSize, 0]]);
  for (let i = 0; i < 50; i++) client.unary("/echo.Echo/Big", utf8("100000"));
  const resets = client.take().filter((f) => f.type === frameType.rstStream);
  assert.ok(resets.length >= 38, String(resets.length));
  assert.ok(client.connection.outbound.queuedBytes < 1_200_000);
  assert.ok(isServed(world));
});

test("a peer that vanished is found by a ping and let go after the timeout", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.open("/echo.Echo/Hang");
  client.take();
  world.advance(2 * 3600 * 1000 + 2000);
  assert.ok(client.take().some((f) => f.type === frameType.ping));
  world.advance(18_000);
  assert.ok(!client.isOver);
  world.advance(4000);
  assert.ok(client.isDestroyed);
});

test("the answer to a ping after DATA leaves with the next output, or after a short wait", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const ping = (): void => {
    client.frame(frameType.ping, 0, 0, new Uint8Array(8));
    world.settle();
  };
  const answers = (): number => client.take().filter((f) => f.type === frameType.ping).length;
  client.unary("/echo.Echo/Unary", new Uint8Array(1));
  world.settle();
  client.take();
  ping();
  assert.equal(answers(), 0);
  client.unary("/echo.Echo/Unary", new Uint8Array(1));
  world.settle();
  assert.equal(answers(), 1);
  ping();
  world.advance(world.limits.pingAnswerDelayMs);
  assert.equal(answers(), 1);
  ping();
  assert.equal(answers(), 1, "no DATA since the last one: at once");
});

test("an answered ping keeps the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  for (let i = 0; i < 3; i++) {
    world.advance(2 * 3600 * 1000 + 2000);
    const ping = client.take().find((f) => f.type === frameType.ping)!;
    client.frame(frameType.ping, 1, 0, ping.body);
  }
  assert.ok(!client.isOver);
});

test("an idle connection ends gracefully when a bound is set", () => {
  const world = new SimWorld({ idleMs: 60_000 });
  const client = world.connect().greet();
  world.advance(65_000);
  const frames = client.take();
  assert.ok(frames.some((f) => f.type === frameType.goAway));
  const ping = frames.find((f) => f.type === frameType.ping)!;
  client.frame(frameType.ping, 1, 0, ping.body);
  client.take();
  assert.ok(client.isEnded);
});

test("draining lets calls end and takes no new ones", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const id = client.open("/echo.Echo/Unary");
  client.take();
  world.server.drain();
  const ping = client.take().find((f) => f.type === frameType.ping)!;
  client.frame(frameType.ping, 1, 0, ping.body);
  const late = client.unary("/echo.Echo/Unary", utf8("late"));
  client.data(id, grpcMessage(utf8("in time")), true);
  const frames = client.take();
  assert.ok(!frames.some((f) => f.id === late));
  assert.ok(frames.some((f) => f.id === id && f.type === frameType.data));
  assert.ok(client.isEnded);
});

test("a client that refuses to go after GOAWAY is not waited for by others", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.open("/echo.Echo/Hang");
  client.take();
  world.server.drain();
  client.take(); // never acknowledged
  assert.ok(!client.isOver);
  client.connection.disconnected("grace is over");
  assert.equal(world.server.connections.size, 0);
});
