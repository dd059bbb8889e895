import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import * as http2 from "node:http2";
import fc from "fast-check";
import type { HttpHandler } from "../../src/http2/types.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { createEchoServer } from "./echo-server.ts";
import { grpcMessage } from "./sim.ts";

// Differential: nghttp2 (in node:http2) encodes what we decode, and decodes what we encode.

/** Answers with the request's header fields as JSON, and with the response fields asked for. */
const mirror: HttpHandler = (request, respond) => {
  const asked = request.headers.get("x-answer");
  const wanted = asked === undefined ? [] : (JSON.parse(asked) as [string, string][]);
  const text = JSON.stringify([...request.headers]);
  respond({
    status: 200,
    headers: wanted,
    body: new Uint8Array([...utf8(text), 10, ...request.body]),
  });
};

const server = createEchoServer({ http: mirror, limits: { resetsPerSecondMax: 1e6 } });
let port = 0;

before(async () => {
  port = await new Promise<number>((resolve, reject) => {
    server.listen("http://127.0.0.1:0", (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
});

after(async () => {
  await new Promise<void>((resolve) => {
    server.close(1000, resolve);
  });
});

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly trailers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body: Uint8Array,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    const parts: Buffer[] = [];
    let got: http2.IncomingHttpHeaders = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (fields) => (got = fields));
    stream.on("trailers", (fields) => (trailers = fields));
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      resolve({ headers: got, trailers, body: Buffer.concat(parts) });
    });
    stream.on("error", reject);
    stream.end(body);
  });
}

function withSession<T>(
  settings: http2.Settings,
  run: (session: http2.ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings });
  return run(session).finally(() => {
    session.destroy();
  });
}

const nameChar = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-_.");
const name = fc.string({ unit: nameChar, minLength: 1, maxLength: 30 }).map((s) => `x-${s}`);
const value = fc.oneof(
  fc.string({ unit: fc.integer({ min: 33, max: 126 }).map((c) => String.fromCharCode(c)) }),
  fc.constantFrom("same", "again", "0".repeat(500)),
);
const fields = fc.uniqueArray(fc.tuple(name, value), { maxLength: 8, selector: (pair) => pair[0] });

test("header fields arrive as nghttp2 encoded them, and go back, over many requests", async () => {
  const request = fc.record({
    sent: fields,
    wanted: fields,
    body: fc.uint8Array({ maxLength: 50_000 }),
  });
  const settings = fc.record({
    headerTableSize: fc.constantFrom(0, 60, 4096, 65_536),
    initialWindowSize: fc.constantFrom(1000, 65_535, 1_000_000),
    maxFrameSize: fc.constantFrom(16_384, 100_000),
  });
  await fc.assert(
    fc.asyncProperty(
      settings,
      fc.array(request, { minLength: 1, maxLength: 12 }),
      (own, requests) =>
        withSession(own, async (session) => {
          const answers = requests.map(({ sent, wanted, body }) => {
            const headers = Object.fromEntries([...sent, ["x-answer", JSON.stringify(wanted)]]);
            return ask(session, { ":path": "/m", ":method": "POST", ...headers }, body);
          });
          for (const [i, answer] of (await Promise.all(answers)).entries()) {
            const { sent, wanted, body } = requests[i]!;
            const end = answer.body.indexOf(10);
            const seen = new Map(
              JSON.parse(answer.body.subarray(0, end).toString("latin1")) as [string, string][],
            );
            for (const [key, want] of sent) assert.equal(seen.get(key), want);
            for (const [key, want] of wanted) assert.equal(answer.headers[key], want);
            assert.ok(answer.body.subarray(end + 1).equals(body));
          }
        }),
    ),
    { seed: 6, numRuns: 60 },
  );
});

test("gRPC calls, large answers and resets mixed on one session", async () => {
  const call = fc.record({
    path: fc.constantFrom("Unary", "Big", "ServerStream", "Fail", "Nope"),
    size: fc.integer({ min: 0, max: 200_000 }),
    isReset: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 20 }), (calls) =>
      withSession({ initialWindowSize: 20_000 }, async (session) => {
        const runs = calls.map(async ({ path, size, isReset }) => {
          const message =
            path === "Big" ? utf8(String(size)) : new Uint8Array(size % 30_000).fill(65);
          const headers = {
            ":path": `/echo.Echo/${path}`,
            ":method": "POST",
            "content-type": "application/grpc",
            te: "trailers",
          };
          if (isReset) {
            const stream = session.request(headers);
            stream.on("error", () => undefined);
            stream.write(grpcMessage(message));
            setImmediate(() => {
              stream.close(http2.constants.NGHTTP2_CANCEL);
            });
            return;
          }
          const answer = await ask(session, headers, grpcMessage(message));
          const { trailers, body } = answer;
          const status = trailers["grpc-status"] ?? answer.headers["grpc-status"];
          const want = path === "Fail" ? "3" : path === "Nope" ? "12" : "0";
          assert.equal(status, want);
          if (path === "Big") assert.equal(body.length, size + 5);
          if (path === "Unary") assert.equal(body.length, message.length + 5);
          if (path === "ServerStream") assert.equal(body.length, 10 * (message.length + 5));
        });
        await Promise.all(runs);
      }),
    ),
    { seed: 7, numRuns: 40 },
  );
});
