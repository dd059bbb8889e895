import { utf8 } from "../../base/bytes.ts";
import type { EtcdError } from "../../base/etcd-errors.ts";
import { bigField, boolField } from "../../codec/kv.ts";
import { Reader } from "../../codec/reader.ts";
import type { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import type { Cluster } from "../member/cluster.ts";
import type { Member } from "../member/member.ts";
import type { LinearizableReads, ReadWaiter } from "./services.ts";
import type { Answers } from "./answers.ts";

export interface ClusterServiceParts {
  readonly cluster: Cluster;
  readonly reads: LinearizableReads;
  readonly answers: Answers;
}

/** etcdserverpb.Cluster, as far as a cluster of one has it. */
export function createClusterService(parts: ClusterServiceParts): GrpcMethod[] {
  return [
    {
      path: "/etcdserverpb.Cluster/MemberList",
      clientStreaming: false,
      serverStreaming: false,
      message(call, bytes) {
        const list = new MemberList(call, parts);
        if (isLinearizable(bytes)) parts.reads.read(list);
        else list.ready(null);
      },
    },
  ];
}

function isLinearizable(bytes: Uint8Array): boolean {
  const r = new Reader(bytes);
  let linearizable = false;
  while (r.next()) {
    if (r.tag === 0x08) linearizable = r.bool();
    else r.skip();
  }
  return linearizable;
}

class MemberList implements ReadWaiter {
  readonly #call: GrpcCall;
  readonly #parts: ClusterServiceParts;

  constructor(call: GrpcCall, parts: ClusterServiceParts) {
    this.#call = call;
    this.#parts = parts;
  }

  ready(error: EtcdError | null): void {
    const { answers, cluster } = this.#parts;
    if (error !== null) {
      answers.fail(this.#call, error);
      return;
    }
    const out = answers.begin(0); // answers of this service carry no revision
    for (const member of cluster.members()) {
      const mark = out.beginNested(0x12);
      writeMember(out, member);
      out.endNested(mark);
    }
    answers.send(this.#call, out);
  }
}

function writeMember(out: Writer, member: Member): void {
  bigField(out, 0x08, member.id);
  if (member.name !== "") out.bytesField(0x12, utf8(member.name));
  for (const url of member.peerUrls) out.bytesField(0x1a, utf8(url));
  for (const url of member.clientUrls) out.bytesField(0x22, utf8(url));
  boolField(out, 0x28, member.isLearner);
}
