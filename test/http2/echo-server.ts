/**
 * A small server on our transport, for tests and measurements: every method answers what it gets.
 * As a program: `node test/http2/echo-server.ts [url] [--tls cert.pem key.pem]`.
 */
import { readFileSync } from "node:fs";
import { createGrpcServer } from "../../src/server/rpc/grpc-server.ts";
import type { ClientPort, ClientPortOptions } from "../../src/server/rpc/grpc-server.ts";
import type { GrpcMethod, HttpHandler } from "../../src/http2/types.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { createRealTurn, quietLog, realClock } from "./world.ts";

/**
 * Unary, server (each byte's worth of repeats), client (sum of sizes) and bidirectional streams.
 */
export const echoMethods: readonly GrpcMethod[] = [
  {
    path: "/echo.Echo/Unary",
    clientStreaming: false,
    serverStreaming: false,
    message: (call, bytes) => {
      call.reply(bytes, 0, bytes.length);
    },
  },
  {
    // Answers with as many bytes as the request says, as a decimal text, in parts of 10,000 bytes.
    path: "/echo.Echo/Big",
    clientStreaming: false,
    serverStreaming: false,
    message: (call, bytes) => {
      const total = Number(new TextDecoder().decode(bytes));
      const parts: Uint8Array[] = [];
      for (let left = total; left > 0; left -= 10_000) parts.push(bigPart(Math.min(left, 10_000)));
      call.replyParts(parts, total);
    },
  },
  {
    // Never answers.
    path: "/echo.Echo/Hang",
    clientStreaming: false,
    serverStreaming: false,
    message: () => undefined,
  },
  {
    // Fails with the message's text as the status message.
    path: "/echo.Echo/Fail",
    clientStreaming: false,
    serverStreaming: false,
    message: (call, bytes) => {
      call.finish(3, new TextDecoder().decode(bytes));
    },
  },
  {
    path: "/echo.Echo/ServerStream",
    clientStreaming: false,
    serverStreaming: true,
    message: (call, bytes) => {
      for (let i = 0; i < 10; i++) call.send(bytes, 0, bytes.length);
      call.finish(0, "");
    },
  },
  {
    path: "/echo.Echo/ClientStream",
    clientStreaming: true,
    serverStreaming: false,
    open: (call) => {
      call.state = 0;
    },
    message: (call, bytes) => {
      call.state = (call.state as number) + bytes.length;
    },
    halfClosed: (call) => {
      const text = utf8(String(call.state));
      call.reply(text, 0, text.length);
    },
  },
  {
    path: "/echo.Echo/Bidi",
    clientStreaming: true,
    serverStreaming: true,
    message: (call, bytes) => {
      call.send(bytes, 0, bytes.length);
    },
    halfClosed: (call) => {
      call.finish(0, "");
    },
  },
];

const pattern = new Uint8Array(10_000).map((_, i) => i % 251);

function bigPart(length: number): Uint8Array {
  return length === pattern.length ? pattern : pattern.subarray(0, length);
}

export const echoHttp: HttpHandler = (request, respond) => {
  const text = `${request.method} ${request.path} ${request.query.toString()} `;
  const body = new Uint8Array([...utf8(text), ...request.body]);
  respond({ status: 200, headers: [["content-type", "text/plain"]], body });
};

export function createEchoServer(options: Partial<ClientPortOptions> = {}): ClientPort {
  return createGrpcServer({
    ...{ methods: echoMethods, http: echoHttp, clock: realClock, turn: createRealTurn() },
    log: quietLog,
    ...options,
  });
}

function main(): void {
  const tlsAt = process.argv.indexOf("--tls");
  const url = process.argv[2] ?? "http://127.0.0.1:50051";
  const tls =
    tlsAt < 0
      ? {}
      : {
          tls: {
            cert: readFileSync(process.argv[tlsAt + 1]!),
            key: readFileSync(process.argv[tlsAt + 2]!),
          },
        };
  const server = createEchoServer(tls);
  server.listen(url, (error, port) => {
    if (error !== null) throw error;
    process.stdout.write(`listening ${port}\n`);
  });
  process.on("SIGTERM", () => {
    const { user, system } = process.cpuUsage();
    process.stdout.write(`cpu ${((user + system) / 1e6).toFixed(3)} s\n`);
    process.exit(0);
  });
}

if (import.meta.filename === process.argv[1]) main();
