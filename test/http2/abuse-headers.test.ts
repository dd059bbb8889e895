import { test } from "node:test";
import assert from "node:assert/strict";
import { frameFlag, frameType, h2Error, OutputBuffer, readU32 } from "../../src/http2/frame.ts";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { HpackEncoder } from "../../src/http2/hpack.ts";
import { HeaderField } from "../../src/http2/header-field.ts";
import { goAwayOf, isServed, SimWorld } from "./sim.ts";
import type { Frame } from "./sim.ts";

// Header blocks made to cost more than they weigh.

const headersEnd = frameFlag.endHeaders | frameFlag.endStream;

function resetCode(frames: readonly Frame[], id: number): number | undefined {
  const reset = frames.find((f) => f.type === frameType.rstStream && f.id === id);
  return reset === undefined ? undefined : readU32(reset.body, 0);
}

test("an HPACK bomb is counted, not kept", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const out = new OutputBuffer(8192);
  const encoder = new HpackEncoder();
  const large = new HeaderField("bomb", "x".repeat(4000));
  encoder.writeIndexed(out, large);
  const insert = out.bytes.slice(0, out.length);
  // 12,000 one-byte references to a 4,000-byte value: 48 MB if they were kept.
  const bomb = new Uint8Array(12_000).fill(encoder.indexOf(large));
  client.frame(frameType.headers, headersEnd, 1, concat([insert, bomb]));
  assert.equal(resetCode(client.take(), 1), h2Error.frameSize);
  assert.ok(isServed(world));
  // The table followed: the connection goes on.
  client.skipStream();
  const id = client.unary("/echo.Echo/Unary", utf8("x"));
  assert.equal(client.answer(client.take(), id).fields.get("grpc-status"), "0");
});

test("too many fields, or too long ones, end the stream alone", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const many = Array.from({ length: 300 }, (_, i) => [`k${i}`, "v"] as const);
  const first = client.open("/echo.Echo/Unary", many, true);
  assert.equal(resetCode(client.take(), first), h2Error.frameSize);
  assert.ok(!client.connection.over);
  assert.ok(isServed(world));
});

test("a block that does not decode ends the connection", () => {
  const bad: readonly (readonly number[])[] = [
    [0x80], // index 0
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // endless integer
    [0xbe], // beyond the empty dynamic table
    [0x40, 0x85, 0xff], // shorter than its string
    [0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00], // end-of-string symbol
    [0x3f, 0xe2, 0x1f], // table size above ours
    [0x82, 0x20], // table size after a field
  ];
  for (const block of bad) {
    const world = new SimWorld();
    const client = world.connect().greet();
    client.frame(frameType.headers, headersEnd, 1, new Uint8Array(block));
    assert.equal(goAwayOf(client.take())?.code, h2Error.compression, String(block));
    assert.ok(isServed(world));
  }
});

test("malformed requests are reset, each by itself", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const bad: readonly (readonly [string, string])[] = [
    ["Upper", "x"],
    ["connection", "close"],
    ["te", "gzip"],
    [":status", "200"],
    ["a b", "x"],
    ["x", "line\nbreak"],
    ["content-length", "-1"],
  ];
  for (const field of bad) {
    const id = client.open("/echo.Echo/Unary", [field], true);
    assert.equal(resetCode(client.take(), id), h2Error.protocol, field[0]);
  }
  assert.ok(!client.connection.over);
});

test("a refused request still counts for the dynamic table", () => {
  const world = new SimWorld({ streamsMax: 0 });
  const client = world.connect().greet();
  const encoder = new HpackEncoder();
  const out = new OutputBuffer(64);
  const field = new HeaderField("x-note", "kept");
  encoder.writeIndexed(out, field);
  client.frame(frameType.headers, headersEnd, 1, out.bytes.slice(0, out.length));
  client.frame(frameType.headers, headersEnd, 3, new Uint8Array([encoder.indexOf(field)]));
  const frames = client.take();
  assert.equal(goAwayOf(frames), null);
  assert.equal(resetCode(frames, 3), h2Error.protocol); // decoded, and no request
});
