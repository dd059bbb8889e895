/** A client of the bare protocol: any message, whole or broken, and the exact failure. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

import * as rpc from "../../src/gen/rpc_pb.js";

export class Failure {
  readonly code: number;
  readonly message: string;

  constructor(code: number, message: string) {
    this.code = code;
    this.message = message;
  }
}

const kv = "/etcdserverpb.KV/";
const lease = "/etcdserverpb.Lease/";
const maintenance = "/etcdserverpb.Maintenance/";
const cluster = "/etcdserverpb.Cluster/";
const callMsMax = 20_000;

const same = (bytes: Buffer): Buffer => bytes;

export interface Method<Q extends DescMessage, A extends DescMessage> {
  readonly path: string;
  readonly request: Q;
  readonly answer: A;
}

function method<Q extends DescMessage, A extends DescMessage>(
  path: string,
  request: Q,
  answer: A,
): Method<Q, A> {
  return { path, request, answer };
}

export const methods = {
  range: method(`${kv}Range`, rpc.RangeRequestSchema, rpc.RangeResponseSchema),
  put: method(`${kv}Put`, rpc.PutRequestSchema, rpc.PutResponseSchema),
  deleteRange: method(
    `${kv}DeleteRange`,
    rpc.DeleteRangeRequestSchema,
    rpc.DeleteRangeResponseSchema,
  ),
  txn: method(`${kv}Txn`, rpc.TxnRequestSchema, rpc.TxnResponseSchema),
  compact: method(`${kv}Compact`, rpc.CompactionRequestSchema, rpc.CompactionResponseSchema),
  leaseGrant: method(
    `${lease}LeaseGrant`,
    rpc.LeaseGrantRequestSchema,
    rpc.LeaseGrantResponseSchema,
  ),
  leaseRevoke: method(
    `${lease}LeaseRevoke`,
    rpc.LeaseRevokeRequestSchema,
    rpc.LeaseRevokeResponseSchema,
  ),
  timeToLive: method(
    `${lease}LeaseTimeToLive`,
    rpc.LeaseTimeToLiveRequestSchema,
    rpc.LeaseTimeToLiveResponseSchema,
  ),
  leases: method(
    `${lease}LeaseLeases`,
    rpc.LeaseLeasesRequestSchema,
    rpc.LeaseLeasesResponseSchema,
  ),
  alarm: method(`${maintenance}Alarm`, rpc.AlarmRequestSchema, rpc.AlarmResponseSchema),
  status: method(`${maintenance}Status`, rpc.StatusRequestSchema, rpc.StatusResponseSchema),
  hashKv: method(`${maintenance}HashKV`, rpc.HashKVRequestSchema, rpc.HashKVResponseSchema),
  defragment: method(
    `${maintenance}Defragment`,
    rpc.DefragmentRequestSchema,
    rpc.DefragmentResponseSchema,
  ),
  moveLeader: method(
    `${maintenance}MoveLeader`,
    rpc.MoveLeaderRequestSchema,
    rpc.MoveLeaderResponseSchema,
  ),
  memberAdd: method(`${cluster}MemberAdd`, rpc.MemberAddRequestSchema, rpc.MemberAddResponseSchema),
  memberRemove: method(
    `${cluster}MemberRemove`,
    rpc.MemberRemoveRequestSchema,
    rpc.MemberRemoveResponseSchema,
  ),
  memberUpdate: method(
    `${cluster}MemberUpdate`,
    rpc.MemberUpdateRequestSchema,
    rpc.MemberUpdateResponseSchema,
  ),
  memberPromote: method(
    `${cluster}MemberPromote`,
    rpc.MemberPromoteRequestSchema,
    rpc.MemberPromoteResponseSchema,
  ),
  memberList: method(
    `${cluster}MemberList`,
    rpc.MemberListRequestSchema,
    rpc.MemberListResponseSchema,
  ),
} as const;

export class TestClient {
  readonly grpc: grpc.Client;

  constructor(endpoint: string, credentials = grpc.credentials.createInsecure()) {
    this.grpc = new grpc.Client(endpoint, credentials, {
      "grpc.use_local_subchannel_pool": 1, // a connection of its own
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.enable_retries": 0,
    });
  }

  /** Any bytes to any method. */
  raw(
    path: string,
    bytes: Uint8Array,
    metadata = new grpc.Metadata(),
    callMs = callMsMax,
  ): Promise<Uint8Array | Failure> {
    return new Promise((resolve) => {
      const options = { deadline: Date.now() + callMs };
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.grpc.makeUnaryRequest(path, same, same, body, metadata, options, (error, answer) => {
        if (error !== null) resolve(new Failure(error.code, error.details));
        else resolve(answer ?? new Uint8Array(0));
      });
    });
  }

  async call<Q extends DescMessage, A extends DescMessage>(
    { path, request, answer }: Method<Q, A>,
    init: MessageInitShape<Q>,
    callMs = callMsMax,
  ): Promise<MessageShape<A> | Failure> {
    const body = toBinary(request, create(request, init));
    const bytes = await this.raw(path, body, undefined, callMs);
    return bytes instanceof Failure ? bytes : fromBinary(answer, bytes);
  }

  /** As call, for what must succeed. */
  async must<Q extends DescMessage, A extends DescMessage>(
    method: Method<Q, A>,
    init: MessageInitShape<Q>,
  ): Promise<MessageShape<A>> {
    const answer = await this.call(method, init);
    if (!(answer instanceof Failure)) return answer;
    throw new Error(`${method.path} failed: ${String(answer.code)} ${answer.message}`);
  }

  /** A stream both ways; its failure comes as the event `error`. */
  stream(path: string, metadata = new grpc.Metadata()): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.grpc.makeBidiStreamRequest(path, same, same, metadata);
  }

  close(): void {
    this.grpc.close();
  }
}
