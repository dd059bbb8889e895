import { test } from "node:test";
import assert from "node:assert/strict";
import { frameFlag, frameType, h2Error, readU32 } from "../../src/http2/frame.ts";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { frameOf, goAwayOf, isServed, SimWorld, u32 } from "./sim.ts";
import type { RawClient } from "./sim.ts";

// Floods of frames: each ends its own connection with ENHANCE_YOUR_CALM, and nobody else's.

/** Sends until the connection ends; fails when `most` frames do not end it. */
function flood(client: RawClient, most: number, frame: (i: number) => void): number {
  for (let i = 0; i < most; i++) {
    frame(i);
    if (client.connection.over) return i + 1;
  }
  assert.fail(`connection still open after ${most} frames`);
}

function expectCalm(world: SimWorld, client: RawClient, text: string): void {
  assert.deepEqual(goAwayOf(client.take()), { code: h2Error.enhanceYourCalm, text });
  assert.ok(client.isOver);
  assert.ok(isServed(world));
}

test("rapid reset ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const sent = flood(client, 50_000, () => {
    const id = client.open("/echo.Echo/Hang");
    client.frame(frameType.rstStream, 0, id, u32(h2Error.cancel));
  });
  assert.equal(sent, world.limits.resetsPerSecondMax + 1);
  assert.equal(client.connection.streams.size, 0);
  expectCalm(world, client, "too_many_resets");
});

test("resets within the allowance go on for ever", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 1000; i++) {
      client.frame(frameType.rstStream, 0, client.open("/echo.Echo/Hang"), u32(h2Error.cancel));
    }
    world.advance(1000);
  }
  assert.ok(!client.connection.over);
});

test("making the server reset streams ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  flood(client, 50_000, () => {
    const id = client.open("/echo.Echo/Hang");
    client.frame(frameType.windowUpdate, 0, id, u32(0));
  });
  expectCalm(world, client, "too_many_rejected_streams");
});

test("a flood of CONTINUATION ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.frame(frameType.headers, 0, 1, client.block("/echo.Echo/Unary"));
  flood(client, 1000, () => {
    client.frame(frameType.continuation, 0, 1);
  });
  expectCalm(world, client, "too_many_continuations");
});

test("an endless header block ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.frame(frameType.headers, 0, 1, client.block("/echo.Echo/Unary"));
  flood(client, 32, () => {
    client.frame(frameType.continuation, 0, 1, new Uint8Array(16_384));
  });
  expectCalm(world, client, "header block too large");
});

test("a flood of PING ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const sent = flood(client, 100, () => {
    client.frame(frameType.ping, 0, 0, new Uint8Array(8));
  });
  // The first is free, then three strikes: as grpc-go's server.
  assert.equal(sent, 4);
  expectCalm(world, client, "too_many_pings");
});

test("pings every five seconds during a call are fair, more are not", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.open("/echo.Echo/Hang");
  for (let i = 0; i < 50; i++) {
    client.frame(frameType.ping, 0, 0, new Uint8Array(8));
    world.advance(5000);
  }
  assert.ok(!client.connection.over);
  flood(client, 10, () => {
    client.frame(frameType.ping, 0, 0, new Uint8Array(8));
    world.advance(4000);
  });
  expectCalm(world, client, "too_many_pings");
});

test("a ping and window updates after each answer are fair, however many", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  for (let i = 0; i < 2 * world.limits.windowUpdatesPerSecondMax; i++) {
    client.unary("/echo.Echo/Unary", utf8("x"));
    world.settle();
    client.frame(frameType.windowUpdate, 0, 0, u32(1));
    client.frame(frameType.ping, 0, 0, new Uint8Array(8));
  }
  assert.equal(client.connection.over, false);
});

test("a flood of SETTINGS, or of their acknowledgements, ends the connection", () => {
  for (const flags of [0, frameFlag.ack]) {
    const world = new SimWorld();
    const client = world.connect().greet();
    flood(client, 1000, () => {
      client.frame(frameType.settings, flags, 0);
    });
    expectCalm(world, client, "too_many_settings");
  }
});

test("a flood of WINDOW_UPDATE ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  flood(client, 50_000, () => {
    client.frame(frameType.windowUpdate, 0, 0, u32(1));
  });
  expectCalm(world, client, "too_many_window_updates");
});

test("a flood of empty DATA ends the connection", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const id = client.open("/echo.Echo/Hang");
  flood(client, 10_000, () => {
    client.data(id, new Uint8Array(0));
  });
  expectCalm(world, client, "too_many_empty_frames");
});

test("a flood of PRIORITY, or of unknown frames, ends the connection", () => {
  for (const type of [frameType.priority, 0x2a]) {
    const world = new SimWorld();
    const client = world.connect().greet();
    flood(client, 10_000, () => {
      client.frame(type, 0, 1, new Uint8Array(5));
    });
    expectCalm(world, client, "too_many_ignored_frames");
  }
});

test("an oversized frame is refused before its bytes come", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.send(new Uint8Array([0, 0x40, 1, frameType.data, 0, 0, 0, 0, 1]));
  assert.equal(goAwayOf(client.take())?.code, h2Error.frameSize);
  assert.ok(isServed(world));
});

test("more streams than allowed are refused one by one", () => {
  const world = new SimWorld({ streamsMax: 10 });
  const client = world.connect().greet();
  for (let i = 0; i < 20; i++) client.open("/echo.Echo/Hang");
  const refused = client.take().filter((f) => f.type === frameType.rstStream);
  assert.equal(refused.length, 10);
  assert.ok(refused.every((f) => readU32(f.body, 0) === h2Error.refusedStream));
  assert.ok(!client.connection.over);
});

test("streams without bound are bounded by their bytes", () => {
  const world = new SimWorld({ receiveBytesMax: 512 * 100, streamCostBytes: 512 });
  const client = world.connect().greet();
  for (let i = 0; i < 200; i++) client.open("/echo.Echo/Hang");
  assert.equal(client.connection.streams.size, 100);
  assert.ok(!client.connection.over);
});

test("memory follows the bytes that came, not the length announced", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  for (let i = 0; i < 1000; i++) {
    client.data(client.open("/echo.Echo/Unary"), concat([new Uint8Array([0]), u32(2_000_000)]));
  }
  assert.equal(client.connection.streams.size, 1000);
  assert.ok(client.connection.heldBytes <= 1000 * 4096);
});

test("unfinished messages of one connection have a bound in all", () => {
  const world = new SimWorld({ receiveBytesMax: 1024 * 1024 });
  const client = world.connect().greet();
  const big = concat([new Uint8Array([0]), u32(2_000_000), new Uint8Array(16_000)]);
  for (let i = 0; i < 200; i++) client.data(client.open("/echo.Echo/Unary"), big);
  assert.ok(client.connection.heldBytes <= 1024 * 1024);
  assert.ok(!client.connection.over);
  assert.ok(isServed(world));
});

test("what came after GOAWAY is not read", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.send(frameOf(frameType.pushPromise, 0, 1, new Uint8Array(4)));
  client.send(frameOf(frameType.ping, 0, 0, new Uint8Array(8)));
  const frames = client.take();
  assert.equal(goAwayOf(frames)?.code, h2Error.protocol);
  assert.ok(!frames.some((f) => f.type === frameType.ping));
  assert.ok(isServed(world));
});
