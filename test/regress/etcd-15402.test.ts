import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { frameType, setting } from "../../src/http2/frame.ts";
import { grpcMessage, SimWorld, u32 } from "../http2/sim.ts";

// Seen to fail when Outbound.pump() empties a stream's queue before it takes the next stream.
test("etcd 15402 (row 44): a stream's small messages leave between large answers", () => {
  const world = new SimWorld();
  const client = world.connect().greet([[setting.initialWindowSize, 0x7fffffff]]);
  client.frame(frameType.windowUpdate, 0, 0, u32(0x7fff0000 - 65_535));
  const watch = client.open("/echo.Echo/Bidi");
  client.take();
  for (let i = 0; i < 10; i++) client.unary("/echo.Echo/Big", utf8("10000000"));
  world.runTurn();
  for (let round = 0; round < 10; round++) {
    // A small one goes past all queues; one of several frames takes turns with the large ones.
    const isSmall = round % 2 === 0;
    if (isSmall) client.data(watch, grpcMessage(new Uint8Array(10)));
    const id = isSmall ? watch : client.unary("/echo.Echo/Big", utf8("60000"));
    let left = 5 + (isSmall ? 10 : 60_000);
    for (let turn = 0; left > 0; turn++) {
      assert.ok(turn < (isSmall ? 1 : 3), "it leaves at once, or nearly so");
      world.runTurn();
      for (const frame of client.takeNow()) {
        if (frame.id === id && frame.type === frameType.data) left -= frame.body.length;
      }
    }
    assert.ok(client.connection.outbound.queuedBytes > 50_000_000, "and large answers wait");
  }
});
