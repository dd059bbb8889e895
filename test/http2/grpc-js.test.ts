import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import { createEchoServer } from "./echo-server.ts";

// The reference client of the gRPC project against our transport.

const server = createEchoServer();
let client: grpc.Client;

before(async () => {
  const port = await new Promise<number>((resolve, reject) => {
    server.listen("http://127.0.0.1:0", (error, bound) => {
      if (error !== null) reject(error);
      else resolve(bound);
    });
  });
  client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client.close();
  await new Promise<void>((resolve) => {
    server.close(1000, resolve);
  });
});

const same = (bytes: Buffer): Buffer => bytes;

interface Failure {
  readonly code: number;
  readonly details: string;
}

function unary(
  method: string,
  body: Buffer,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<Buffer | Failure> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      `/echo.Echo/${method}`,
      same,
      same,
      body,
      metadata,
      options,
      (error, answer) => {
        if (error === null) resolve(answer!);
        else resolve({ code: error.code, details: error.details });
      },
    );
  });
}

test("unary calls of every size come back whole", async () => {
  const sizes = [0, 1, 100, 16_379, 16_380, 70_000, 1_000_000, 2_097_152];
  for (const size of sizes) {
    const body = Buffer.alloc(size, size % 256);
    const answer = await unary("Unary", body);
    assert.ok(Buffer.isBuffer(answer) && answer.equals(body), `size ${size}`);
  }
});

test("many calls at once are not mixed up", async () => {
  const bodies = Array.from({ length: 300 }, (_, i) => Buffer.alloc(1 + i * 97, i % 256));
  const answers = await Promise.all(bodies.map((body) => unary("Unary", body)));
  answers.forEach((answer, i) => {
    assert.ok(Buffer.isBuffer(answer) && answer.equals(bodies[i]!), `call ${i}`);
  });
});

test("an answer in parts arrives whole and in order", async () => {
  const answer = await unary("Big", Buffer.from("3000000"));
  assert.ok(Buffer.isBuffer(answer));
  assert.equal(answer.length, 3_000_000);
  for (let i = 0; i < answer.length; i++) {
    if (answer[i] !== (i % 10_000) % 251) assert.fail(`byte ${i}`);
  }
});

test("streams of all kinds run to their end", async () => {
  const down = client.makeServerStreamRequest(
    "/echo.Echo/ServerStream",
    same,
    same,
    Buffer.from("x"),
  );
  const got: string[] = [];
  for await (const message of down) got.push(String(message));
  assert.deepEqual(got, Array<string>(10).fill("x"));

  const sum = await new Promise<string>((resolve, reject) => {
    const up = client.makeClientStreamRequest(
      "/echo.Echo/ClientStream",
      same,
      same,
      (e, answer) => {
        if (e === null) resolve(String(answer));
        else reject(e);
      },
    );
    for (let i = 0; i < 100; i++) up.write(Buffer.alloc(i));
    up.end();
  });
  assert.equal(sum, "4950");

  const both = client.makeBidiStreamRequest("/echo.Echo/Bidi", same, same);
  const echoed: number[] = [];
  both.on("data", (message: Buffer) => {
    echoed.push(message.length);
    if (echoed.length === 50) both.end();
  });
  for (let i = 0; i < 50; i++) both.write(Buffer.alloc(i * 1000));
  await new Promise((resolve) => both.on("end", resolve));
  assert.deepEqual(
    echoed,
    Array.from({ length: 50 }, (_, i) => i * 1000),
  );
});

test("errors carry code and text, percent-encoded where needed", async () => {
  assert.deepEqual(await unary("Fail", Buffer.from("50 % größer\n")), {
    code: 3,
    details: "50 % größer\n",
  });
  assert.deepEqual(await unary("Nope", Buffer.alloc(0)), {
    code: 12,
    details: "unknown method Nope for service echo.Echo",
  });
  const metadata = new grpc.Metadata();
  metadata.set("k-bin", Buffer.from([0, 255]));
  assert.ok(Buffer.isBuffer(await unary("Unary", Buffer.from("a"), metadata)));
});

test("a message over the limit is refused with its size", async () => {
  assert.deepEqual(await unary("Unary", Buffer.alloc(2_097_153)), {
    code: 8,
    details: "grpc: received message larger than max (2097153 vs. 2097152)",
  });
});

test("a deadline ends a call that hangs, and cancelling frees one", async () => {
  const failed = await unary("Hang", Buffer.alloc(0), new grpc.Metadata(), {
    deadline: Date.now() + 50,
  });
  assert.ok(!Buffer.isBuffer(failed));
  assert.equal(failed.code, 4);
  const cancelled = await new Promise<number>((resolve) => {
    const call = client.makeUnaryRequest(
      "/echo.Echo/Hang",
      same,
      same,
      Buffer.alloc(0),
      (error) => {
        resolve(error!.code);
      },
    );
    setImmediate(() => {
      call.cancel();
    });
  });
  assert.equal(cancelled, 1);
});

test("gzip requests are unpacked, within the message bound", async () => {
  const options = { interceptors: [] } as grpc.CallOptions;
  const zipped = new grpc.Client(
    client.getChannel().getTarget().replace("dns:", ""),
    grpc.credentials.createInsecure(),
    { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip },
  );
  const call = (body: Buffer): Promise<Buffer | Failure> =>
    new Promise((resolve) => {
      zipped.makeUnaryRequest(
        "/echo.Echo/Unary",
        same,
        same,
        body,
        new grpc.Metadata(),
        options,
        (error, answer) => {
          if (error === null) resolve(answer!);
          else resolve({ code: error.code, details: error.details });
        },
      );
    });
  const body = Buffer.alloc(1_000_000, 7);
  const answer = await call(body);
  assert.ok(Buffer.isBuffer(answer) && answer.equals(body));
  const bomb = Buffer.alloc(30_000_000);
  assert.ok(gzipSync(bomb).length < 100_000);
  assert.deepEqual(await call(bomb), {
    code: 8,
    details: "grpc: received message after decompression larger than max 2097152",
  });
  zipped.close();
});
