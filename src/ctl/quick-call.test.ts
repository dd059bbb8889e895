import assert from "node:assert/strict";
import type { Server, Socket } from "node:net";
import { createServer } from "node:net";
import { after, test } from "node:test";

import { encodeHuffman, huffmanLength } from "../http2/huffman.ts";
import type { QuickEnd } from "./quick-call.ts";
import { quickCall } from "./quick-call.ts";

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** Calls a server that answers the first bytes with `answer` and then perhaps ends. */
async function callOf(
  answer: (socket: Socket) => unknown,
  timeoutMs = 10_000,
): Promise<{ readonly end: QuickEnd; readonly sent: Uint8Array }> {
  let sent = new Uint8Array(0);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (chunk: Uint8Array) => {
      sent = Uint8Array.from(chunk);
      answer(socket);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const call = { host: "127.0.0.1", port, path: "/s/M", message: Uint8Array.of(7), timeoutMs };
  return { end: await quickCall(call), sent };
}

function frame(type: number, flags: number, payload: readonly number[]): Uint8Array {
  const stream = type === 4 || type === 7 ? 0 : 1;
  return Uint8Array.of(0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload);
}

function packed(text: string): number[] {
  const bytes = new Uint8Array(huffmanLength(text));
  encodeHuffman(text, bytes, 0);
  return [0x80 | bytes.length, ...bytes];
}

const plain = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
const settings = frame(4, 0, []);
const ok = frame(1, 4, [0x88]); // :status 200
const message = frame(0, 0, [0, 0, 0, 0, 2, 8, 9]);

test("an answer is read, its status plain or in the Huffman code", async () => {
  for (const text of [plain, packed]) {
    const trailers = frame(1, 5, [0x40, ...text("grpc-status"), ...text("0")]);
    const { end, sent } = await callOf((socket) => {
      for (const piece of [settings, ok, message, trailers]) socket.write(piece);
    });
    assert.deepEqual(end, { kind: "answered", message: Uint8Array.of(8, 9) });
    assert.equal(new TextDecoder().decode(sent.subarray(0, 14)), "PRI * HTTP/2.0");
  }
});

test("a refusal is told with its code and text", async () => {
  const name = [...plain("grpc-status"), ...plain("3")];
  const text = [...packed("grpc-message"), ...packed("no%20such key")];
  const { end } = await callOf((socket) => {
    socket.write(settings);
    socket.write(frame(1, 5, [0x88, 0x00, ...name, 0x10, ...text]));
  });
  assert.deepEqual(end, { kind: "refused", code: 3, text: "no such key" });
});

test("what the server did not begin with is unsent, what it may have is lost", async () => {
  const ends: readonly [(socket: Socket) => unknown, QuickEnd["kind"]][] = [
    [(socket) => socket.write(frame(7, 0, [0, 0, 0, 0, 0, 0, 0, 0])), "unsent"],
    [(socket) => socket.write(frame(3, 0, [0, 0, 0, 7])), "unsent"],
    [(socket) => socket.write(frame(3, 0, [0, 0, 0, 2])), "lost"],
    [(socket) => socket.end(settings), "lost"],
    [(socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"), "lost"],
    [(socket) => socket.write(frame(1, 5, [0x88])), "lost"],
  ];
  for (const [answer, kind] of ends) {
    const { end } = await callOf(answer);
    assert.equal(end.kind, kind);
  }
});

test("a server that says nothing is late", async () => {
  const { end } = await callOf(() => undefined, 20);
  assert.equal(end.kind, "late");
});
