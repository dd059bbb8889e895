import { errStopped } from "../../base/etcd-errors.ts";
import { grpcCode } from "../../base/grpc-code.ts";
import { Reader } from "../../codec/reader.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";

// HealthCheckResponse{status: SERVING}
const serving = new Uint8Array([0x08, 0x01]);

/** grpc.health.v1: only the service "" is known, and it serves (wire.md 1). */
export function createHealthService(): GrpcMethod[] {
  const answer = (call: GrpcCall, bytes: Uint8Array, known: (call: GrpcCall) => void): void => {
    if (serviceName(bytes).length === 0) known(call);
    else call.finish(grpcCode.notFound, "unknown service");
  };
  return [
    {
      path: "/grpc.health.v1.Health/Check",
      clientStreaming: false,
      serverStreaming: false,
      message(call, bytes) {
        answer(call, bytes, () => {
          call.reply(serving, 0, serving.length);
        });
      },
    },
    {
      path: "/grpc.health.v1.Health/Watch",
      clientStreaming: false,
      serverStreaming: true,
      message(call, bytes) {
        // An unknown service is told SERVICE_UNKNOWN and stays open: it might appear.
        const status = serviceName(bytes).length === 0 ? serving : new Uint8Array([0x08, 0x03]);
        call.send(status, 0, status.length);
      },
      drained: (call) => {
        call.finish(errStopped.code, errStopped.message);
      },
    },
  ];
}

function serviceName(bytes: Uint8Array): string {
  const r = new Reader(bytes);
  let name = "";
  while (r.next()) {
    if (r.tag === 0x0a) name = r.string();
    else r.skip();
  }
  return name;
}
