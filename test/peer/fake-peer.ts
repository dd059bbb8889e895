/** A peer that says and does what no honest member would, by hand over HTTP. */
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { encodeMessage } from "../../src/codec/raft.ts";
import { Writer } from "../../src/codec/writer.ts";
import type { Message } from "../../src/raft/message.ts";
import { hex } from "../../src/server/peer/peer-headers.ts";
import { testClusterId, type TestMember } from "./rig.ts";

/** Serves the streams a member dials; each connection is given to `onStream`. */
export async function startFakePeer(
  onStream: (kind: string, write: (bytes: Uint8Array) => void) => void,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server: Server = createServer((req, res) => {
    if (req.url?.startsWith("/raft/stream/") !== true) {
      res.writeHead(404).end();
      return;
    }
    res.writeHead(200, { "X-Server-Version": "3.7.1" });
    res.flushHeaders();
    onStream(req.url.split("/")[3] ?? "", (bytes) => {
      res.write(bytes);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The headers of an honest member. */
export function goodHeaders(from: bigint, to: TestMember): Record<string, string> {
  return {
    "X-Server-From": hex(from),
    "X-Server-Version": "3.7.1",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": hex(testClusterId),
    "X-Raft-To": hex(to.id),
  };
}

/** Dials a member's stream as the peer `from` would; the answer is not read by itself. */
export function dialStream(
  to: TestMember,
  from: bigint,
  kind: "msgapp" | "message",
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request(`${to.url}/raft/stream/${kind}/${hex(from)}`, {
      ...{ agent: false, headers: goodHeaders(from, to) },
    });
    call.on("response", resolve);
    call.on("error", reject);
    call.end();
  });
}

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

export function post(
  to: TestMember,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(`${to.url}${path}`, { method: "POST", agent: false, headers });
    call.on("error", reject);
    call.on("response", (response) => {
      let text = "";
      response.on("data", (chunk: Uint8Array) => (text += Buffer.from(chunk).toString()));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: text });
      });
    });
    call.end(body);
  });
}

export function encoded(message: Message): Uint8Array {
  const out = new Writer();
  encodeMessage(out, message);
  return out.copy();
}

/** A frame of the message stream, its length told as asked. */
export function frame(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const out = new Uint8Array(8 + bytes.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length));
  out.set(bytes, 8);
  return out;
}

/** A bare TCP connection, and how it ends. */
export function rawSocket(
  to: TestMember,
  text: string,
): { readonly socket: Socket; readonly closed: Promise<string> } {
  const { hostname, port } = new URL(to.url);
  const socket = connectTcp(Number(port), hostname);
  let got = "";
  const closed = new Promise<string>((resolve) => {
    socket.on("data", (chunk) => (got += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      resolve(got);
    });
  });
  socket.write(text);
  return { socket, closed };
}
