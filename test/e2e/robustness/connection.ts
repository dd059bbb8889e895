// A client's connection to one member: calls with a deadline, and what a failure says.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

import * as rpc from "../../../src/gen/rpc_pb.js";
import { Failure, methods as basicMethods } from "../../server/client.ts";

const cluster = "/etcdserverpb.Cluster/";
const maintenance = "/etcdserverpb.Maintenance/";
const reconnectMsMin = 20;
const reconnectMsMax = 300;

export const methods = {
  ...basicMethods,
  memberList: {
    path: `${cluster}MemberList`,
    request: rpc.MemberListRequestSchema,
    answer: rpc.MemberListResponseSchema,
  },
  memberAdd: {
    path: `${cluster}MemberAdd`,
    request: rpc.MemberAddRequestSchema,
    answer: rpc.MemberAddResponseSchema,
  },
  memberRemove: {
    path: `${cluster}MemberRemove`,
    request: rpc.MemberRemoveRequestSchema,
    answer: rpc.MemberRemoveResponseSchema,
  },
  memberPromote: {
    path: `${cluster}MemberPromote`,
    request: rpc.MemberPromoteRequestSchema,
    answer: rpc.MemberPromoteResponseSchema,
  },
  moveLeader: {
    path: `${maintenance}MoveLeader`,
    request: rpc.MoveLeaderRequestSchema,
    answer: rpc.MoveLeaderResponseSchema,
  },
} as const;

interface Method<Q extends DescMessage, A extends DescMessage> {
  readonly path: string;
  readonly request: Q;
  readonly answer: A;
}

const same = (bytes: Buffer): Buffer => bytes;

export class Connection {
  readonly #grpc: grpc.Client;

  constructor(endpoint: string) {
    this.#grpc = new grpc.Client(endpoint, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1, // a connection of its own
      "grpc.max_receive_message_length": -1,
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": reconnectMsMin,
      "grpc.max_reconnect_backoff_ms": reconnectMsMax,
    });
  }

  raw(path: string, bytes: Uint8Array, deadlineMs: number): Promise<Uint8Array | Failure> {
    return new Promise((resolve) => {
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const options = { deadline: Date.now() + deadlineMs };
      this.#grpc.makeUnaryRequest(path, same, same, body, options, (error, answer) => {
        if (error !== null) resolve(new Failure(error.code, error.details));
        else resolve(answer ?? new Uint8Array(0));
      });
    });
  }

  async call<Q extends DescMessage, A extends DescMessage>(
    { path, request, answer }: Method<Q, A>,
    init: MessageInitShape<Q>,
    deadlineMs: number,
  ): Promise<MessageShape<A> | Failure> {
    const bytes = await this.raw(path, toBinary(request, create(request, init)), deadlineMs);
    return bytes instanceof Failure ? bytes : fromBinary(answer, bytes);
  }

  stream(path: string): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.#grpc.makeBidiStreamRequest(path, same, same);
  }

  close(): void {
    this.#grpc.close();
  }
}

/** INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, OUT_OF_RANGE. */
const refusingCodes = new Set([3, 5, 9, 11]);
const refusingTexts = [
  "No connection established",
  "etcdserver: too many requests",
  "etcdserver: rpc not supported for learner",
];

/** Whether the failure says that nothing was done, now or later. */
export function isRefusal({ code, message }: Failure): boolean {
  return refusingCodes.has(code) || refusingTexts.some((text) => message.startsWith(text));
}
