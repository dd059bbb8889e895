import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { frameFlag, frameType, preface, setting } from "../../src/http2/frame.ts";
import type { GrpcCall, GrpcMethod } from "../../src/http2/types.ts";
import { echoMethods } from "./echo-server.ts";
import { frameOf, grpcMessage, SimWorld, u32 } from "./sim.ts";
import type { Frame, RawClient } from "./sim.ts";

/** Everything one client says in a session of many kinds of calls. */
function script(client: RawClient): Uint8Array {
  const headers = (id: number, path: string, flags: number): Uint8Array =>
    frameOf(frameType.headers, flags, id, client.block(path));
  const end = frameFlag.endStream;
  const big = grpcMessage(new Uint8Array(40_000).fill(7));
  const block = client.block("/echo.Echo/Bidi", [["x-long", "y".repeat(300)]]);
  return concat([
    preface,
    frameOf(frameType.settings, 0, 0, concat([new Uint8Array([0, 4]), u32(1_000_000)])),
    headers(1, "/echo.Echo/Unary", frameFlag.endHeaders),
    frameOf(frameType.data, end, 1, grpcMessage(utf8("one"))),
    headers(3, "/echo.Echo/ClientStream", frameFlag.endHeaders),
    frameOf(frameType.data, 0, 3, big.subarray(0, 3)),
    frameOf(frameType.data, 0, 3, big.subarray(3, 16_000)),
    frameOf(frameType.ping, 0, 0, new Uint8Array(8)),
    frameOf(frameType.headers, 0, 5, block.subarray(0, 10)),
    frameOf(frameType.continuation, 0, 5, block.subarray(10, 90)),
    frameOf(frameType.continuation, frameFlag.endHeaders, 5, block.subarray(90)),
    frameOf(frameType.data, 0, 3, big.subarray(16_000, 32_000)),
    frameOf(frameType.data, 0, 5, concat([grpcMessage(utf8("a")), grpcMessage(utf8("bc"))])),
    frameOf(frameType.data, end, 3, big.subarray(32_000)),
    frameOf(frameType.data, frameFlag.padded | end, 5, new Uint8Array([3, 0, 0, 0])),
    headers(7, "/echo.Echo/Nope", frameFlag.endHeaders | end),
    headers(9, "/echo.Echo/Unary", frameFlag.endHeaders),
    frameOf(frameType.rstStream, 0, 9, u32(8)),
    frameOf(frameType.headers, frameFlag.endHeaders | end, 11, client.block("/echo.Echo/Unary")),
  ]);
}

function answersOf(client: RawClient): unknown {
  const frames = client.take();
  const ids = [1, 3, 5, 7, 9, 11];
  const fields = new Map(ids.map((id) => [id, [] as string[]]));
  for (const frame of frames) {
    if (frame.type === frameType.headers) {
      for (const pair of client.headers(frame)) fields.get(frame.id)!.push(pair.join(": "));
    }
  }
  const body = (id: number): number[] => {
    const data = frames.filter((f: Frame) => f.type === frameType.data && f.id === id);
    return [...concat(data.map((f) => f.body))];
  };
  return ids.map((id) => ({ id, fields: fields.get(id), body: body(id) }));
}

test("any cut of the byte stream gives the same answers", () => {
  const whole = new SimWorld().connect();
  const bytes = script(whole);
  whole.send(bytes);
  const want = answersOf(whole);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 60 }),
      fc.boolean(),
      (cuts, settles) => {
        const world = new SimWorld();
        const client = world.connect();
        let at = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
          // The bytes are only lent: what is kept must be a copy.
          const lent = bytes.slice(at, cut);
          client.send(lent);
          lent.fill(0xee);
          if (settles) world.settle();
          at = cut;
        }
        assert.deepEqual(answersOf(client), want);
        assert.equal(client.connection.streams.size, 0);
        assert.equal(client.connection.heldBytes, 0);
      },
    ),
    { seed: 4, numRuns: 60 },
  );
});

test("one byte at a time too", () => {
  const whole = new SimWorld().connect();
  const bytes = script(whole);
  whole.send(bytes);
  const want = answersOf(whole);
  const client = new SimWorld().connect();
  for (let i = 0; i < bytes.length; i++) client.send(bytes.slice(i, i + 1));
  assert.deepEqual(answersOf(client), want);
});

test("damaged input never breaks the server", () => {
  const bytes = script(new SimWorld().connect());
  const change = fc.record({
    at: fc.nat(bytes.length - 1),
    value: fc.integer({ max: 255, min: 0 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      const damaged = bytes.slice();
      for (const { at, value } of changes) damaged[at] = value;
      const world = new SimWorld();
      const client = world.connect();
      client.send(damaged);
      client.take();
      client.connection.disconnected("gone");
      assert.equal(client.connection.streams.size, 0);
      assert.equal(client.connection.heldBytes, 0);
      assert.equal(client.connection.outbound.queuedBytes, 0);
      assert.equal(world.server.connections.size, 0);
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("all answers of a turn leave in one write", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.take();
  for (let i = 0; i < 100; i++) client.unary("/echo.Echo/Unary", utf8(String(i)));
  world.settle();
  assert.equal(client.writes, 1);
  assert.equal(client.take().filter((f) => f.type === frameType.headers).length, 200);
});

test("headers and trailers cost one byte a field after the first answer", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  client.unary("/echo.Echo/Unary", utf8("x"));
  client.take();
  client.unary("/echo.Echo/Unary", utf8("x"));
  assert.deepEqual(
    client.take().map((f) => f.body.length),
    [2, 6, 1],
  );
});

test("a peer without a dynamic table gets none", () => {
  const world = new SimWorld();
  const client = world.connect().greet([[setting.headerTableSize, 0]]);
  for (let i = 0; i < 3; i++) {
    const id = client.unary("/echo.Echo/Unary", utf8("x"));
    const { fields } = client.answer(client.take(), id);
    assert.equal(fields.get("content-type"), "application/grpc");
    assert.equal(fields.get("grpc-status"), "0");
  }
});

test("a small answer is not held up by large ones", () => {
  const world = new SimWorld();
  const client = world.connect().greet([[setting.initialWindowSize, 0x7fffffff]]);
  client.frame(frameType.windowUpdate, 0, 0, u32(0x7fff0000 - 65_535));
  client.take();
  const large = [1, 2, 3].map(() => client.unary("/echo.Echo/Big", utf8("5000000")));
  world.runTurn();
  const small = client.unary("/echo.Echo/Unary", utf8("small"));
  world.runTurn();
  world.runTurn();
  const frames = client.connection.outbound.queuedBytes;
  assert.ok(frames > 5_000_000, "large answers are still under way");
  const written = client.take();
  const smallAt = written.findIndex((f) => f.id === small && f.type === frameType.data);
  const before = written.slice(0, smallAt).reduce((sum, f) => sum + f.body.length, 0);
  assert.ok(smallAt > 0 && before <= 2 * 1024 * 1024 + 1000, `${before} bytes before it`);
  // Large ones take turns, frame by frame.
  const order = written.filter((f) => f.type === frameType.data && large.includes(f.id));
  assert.deepEqual(
    order.slice(3, 9).map((f) => f.id),
    [...large, ...large],
  );
});

test("no stream gets more than its share of a turn, and all arrives", () => {
  const world = new SimWorld();
  const client = world.connect().greet([[setting.initialWindowSize, 0x7fffffff]]);
  client.frame(frameType.windowUpdate, 0, 0, u32(100_000_000));
  client.take();
  const id = client.unary("/echo.Echo/Big", utf8("3000000"));
  let total = 0;
  for (let turn = 0; turn < 40 && total < 3_000_005; turn++) {
    world.runTurn();
    const before = total;
    for (const frame of client.takeNow()) {
      if (frame.id === id && frame.type === frameType.data) total += frame.body.length;
    }
    assert.ok(total - before <= world.limits.streamTurnBytesMax);
  }
  assert.equal(total, 3_000_005);
});

test("flow control holds at both levels", () => {
  const world = new SimWorld();
  const client = world.connect().greet([[setting.initialWindowSize, 30_000]]);
  const first = client.unary("/echo.Echo/Big", utf8("40000"));
  const second = client.unary("/echo.Echo/Big", utf8("40000"));
  const third = client.unary("/echo.Echo/Big", utf8("40000"));
  const got = new Map<number, number>([first, second, third].map((id) => [id, 0]));
  const count = (): number => {
    for (const f of client.take()) {
      if (f.type === frameType.data) got.set(f.id, got.get(f.id)! + f.body.length);
    }
    return [...got.values()].reduce((a, b) => a + b, 0);
  };
  assert.equal(count(), 65_535); // the connection's window
  client.frame(frameType.windowUpdate, 0, 0, u32(1_000_000));
  assert.equal(count(), 90_000); // the streams' windows
  client.frame(frameType.windowUpdate, 0, second, u32(20_000));
  count();
  assert.deepEqual([...got.values()], [30_000, 40_005, 30_000]);
  // A smaller initial window may make a stream's negative; it then waits for more.
  const settings = concat([new Uint8Array([0, 4]), u32(10_000)]);
  client.frame(frameType.settings, 0, 0, settings);
  client.frame(frameType.windowUpdate, 0, first, u32(20_000));
  assert.equal(count(), 100_005);
  client.frame(frameType.windowUpdate, 0, first, u32(20_000));
  assert.equal(count(), 110_010);
});

test("receive windows reopen, in few updates", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const id = client.open("/echo.Echo/ClientStream");
  client.take();
  const chunk = grpcMessage(new Uint8Array(16_000));
  let updates = 0;
  let window = world.limits.streamWindowBytes;
  for (let i = 0; i < 1000; i++) {
    client.data(id, chunk);
    window -= chunk.length;
    for (const frame of client.take()) {
      if (frame.type !== frameType.windowUpdate) continue;
      updates++;
      if (frame.id === id) window += new DataView(frame.body.buffer).getUint32(0);
    }
    assert.ok(window > 0 && !client.connection.over);
  }
  assert.ok(updates > 30 && updates < 60, String(updates));
});

interface Log {
  readonly calls: GrpcCall[];
  readonly events: string[];
}

function loggedMethod(log: Log): GrpcMethod {
  return {
    path: "/test.Test/Watch",
    clientStreaming: true,
    serverStreaming: true,
    open: (call) => {
      log.calls.push(call);
      log.events.push("open");
    },
    message: (_call, bytes) => {
      log.events.push(`message ${bytes.length}`);
    },
    halfClosed: () => {
      log.events.push("half-closed");
    },
    cancelled: () => {
      log.events.push("cancelled");
    },
    writable: () => {
      log.events.push("writable");
    },
  };
}

test("a call is told of its end once: reset, disconnect, deadline", () => {
  for (const how of ["reset", "disconnect", "deadline"]) {
    const log: Log = { calls: [], events: [] };
    const world = new SimWorld({}, [...echoMethods, loggedMethod(log)]);
    const client = world.connect().greet();
    const id = client.open("/test.Test/Watch", [["grpc-timeout", "5S"]]);
    if (how === "reset") client.frame(frameType.rstStream, 0, id, u32(8));
    if (how === "disconnect") client.connection.disconnected("gone");
    if (how === "deadline") {
      world.advance(5100);
      const { fields } = client.answer(client.take(), id);
      assert.equal(fields.get("grpc-status"), "4");
      assert.equal(fields.get("grpc-message"), "context deadline exceeded");
    }
    world.advance(10_000);
    client.connection.disconnected("gone");
    assert.deepEqual(log.events, ["open", "cancelled"], how);
    const call = log.calls[0]!;
    assert.ok(call.done);
    assert.equal(call.send(new Uint8Array(1), 0, 1), false);
    call.finish(0, "");
  }
});

test("deadlines of finished calls are gone, those of running ones pass in time", () => {
  const log: Log = { calls: [], events: [] };
  const world = new SimWorld({}, [...echoMethods, loggedMethod(log)]);
  const client = world.connect().greet();
  for (let i = 0; i < 100; i++) {
    client.open("/test.Test/Watch", [["grpc-timeout", `${1 + i * 100}m`]]);
  }
  for (let i = 50; i < 100; i++) log.calls[i]!.finish(0, "");
  let ended = 0;
  for (let ms = 0; ms < 12_000; ms += 20) {
    world.advance(20);
    const count = log.events.filter((e) => e === "cancelled").length;
    const due = Math.min(50, Math.max(0, Math.floor((ms - 20) / 100) + 1));
    assert.ok(count >= Math.min(due, 50) - 1 && count <= due + 1, `${count} of ${due} at ${ms}`);
    ended = count;
  }
  assert.equal(ended, 50);
});

test("a stream hears when it may send again", () => {
  const log: Log = { calls: [], events: [] };
  const limits = { pendingHighBytes: 10_000, pendingLowBytes: 2000 };
  const world = new SimWorld(limits, [...echoMethods, loggedMethod(log)]);
  const client = world.connect().greet([[setting.initialWindowSize, 0]]);
  const id = client.open("/test.Test/Watch");
  const call = log.calls[0]!;
  const part = new Uint8Array(6000);
  assert.equal(call.sendParts([part], 6000), true);
  assert.equal(call.sendParts([part, part], 12_000), false);
  assert.equal(call.pendingBytes, 18_010);
  client.frame(frameType.windowUpdate, 0, id, u32(10_000));
  client.take();
  assert.deepEqual(log.events, ["open"]);
  client.frame(frameType.windowUpdate, 0, id, u32(7000));
  client.take();
  assert.deepEqual(log.events, ["open", "writable"]);
});

test("requests gRPC refuses get grpc-go's codes and texts", () => {
  const cases: [path: string, extra: [string, string][], status: string, text: string][] = [
    ["/echo.Echo/Nope", [], "12", "unknown method Nope for service echo.Echo"],
    ["/no.Such/Unary", [], "12", "unknown service no.Such"],
    ["/noslash", [], "12", 'malformed method name: "/noslash"'],
    [
      "/echo.Echo/Unary",
      [["grpc-encoding", "zstd"]],
      "12",
      'grpc: Decompressor is not installed for grpc-encoding "zstd"',
    ],
    [
      "/echo.Echo/Unary",
      [["grpc-timeout", "5"]],
      "13",
      'malformed grpc-timeout: transport: timeout string is too short: "5"',
    ],
    ["/echo.Echo/Unary", [["grpc-timeout", "0n"]], "4", "context deadline exceeded"],
    [
      "/echo.Echo/Unary",
      [["k-bin", "*"]],
      "13",
      'malformed binary metadata "*" in header "k-bin": illegal base64 data at input byte 0',
    ],
  ];
  for (const [path, extra, status, text] of cases) {
    const world = new SimWorld();
    const client = world.connect().greet();
    const id = client.unary(path, utf8("x"), extra);
    const { fields } = client.answer(client.take(), id);
    assert.equal(fields.get("grpc-status"), status, path);
    assert.equal(fields.get("grpc-message"), text);
  }
});

test("a unary call takes exactly one whole message", () => {
  const bodies: [body: Uint8Array, status: string, text: string][] = [
    [new Uint8Array(0), "2", "EOF"],
    [new Uint8Array([0, 0, 0]), "13", "unexpected EOF"],
    [grpcMessage(utf8("x")).subarray(0, 5), "13", "unexpected EOF"],
    [
      concat([grpcMessage(utf8("a")), grpcMessage(utf8("b"))]),
      "13",
      "cardinality violation: received multiple request messages for non-client-streaming RPC",
    ],
    [concat([new Uint8Array([9]), u32(0)]), "13", "grpc: received unexpected payload format 9"],
    [
      concat([new Uint8Array([1]), u32(0)]),
      "13",
      "grpc: compressed flag set with identity or empty encoding",
    ],
  ];
  for (const [body, status, text] of bodies) {
    const world = new SimWorld();
    const client = world.connect().greet();
    const id = client.open("/echo.Echo/Hang");
    client.data(id, body, true);
    const { fields } = client.answer(client.take(), id);
    assert.equal(fields.get("grpc-status"), status);
    assert.equal(fields.get("grpc-message"), text);
  }
});

test("requests that are not gRPC reach the HTTP handler", () => {
  const world = new SimWorld();
  const client = world.connect().greet();
  const id = client.open("/health?serializable=true", [], true);
  // "content-type: application/grpc" came first; a second value decides.
  assert.equal(client.answer(client.take(), id).fields.get("grpc-status"), "12");
  const plain = client.open("/x?y=1", [["content-type", "application/json"]]);
  client.data(plain, utf8("body"), true);
  const { fields, body } = client.answer(client.take(), plain);
  assert.equal(fields.get(":status"), "200");
  assert.equal(new TextDecoder().decode(body), "POST /x y=1 body");
  const strange = client.open("/echo.Echo/Unary", [["content-type", "application/grpcx"]], true);
  assert.equal(client.answer(client.take(), strange).fields.get(":status"), "415");
});
