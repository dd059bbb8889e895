import { utf8 } from "../../base/bytes.ts";
import type { EtcdError } from "../../base/etcd-errors.ts";
import { bigField, boolField } from "../../codec/kv.ts";
import { Reader } from "../../codec/reader.ts";
import type { Writer } from "../../codec/writer.ts";
import type { GrpcCall, GrpcMethod } from "../../http2/types.ts";
import type { Cluster } from "../member/cluster.ts";
import type { Member } from "../member/member.ts";
import type { Membership } from "../member/membership.ts";
import type { LinearizableReads } from "./services.ts";
import type { Answers } from "./answers.ts";

export interface ClusterServiceParts {
  readonly cluster: Cluster;
  readonly membership: Membership;
  readonly reads: LinearizableReads;
  readonly answers: Answers;
}

type Handler = (parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array) => void;

const methods: Readonly<Record<string, Handler>> = {
  MemberAdd: memberAdd,
  MemberRemove: memberRemove,
  MemberUpdate: memberUpdate,
  MemberPromote: memberPromote,
  MemberList: memberList,
};

/** etcdserverpb.Cluster. */
export function createClusterService(parts: ClusterServiceParts): GrpcMethod[] {
  return Object.entries(methods).map(([name, handler]) => ({
    path: `/etcdserverpb.Cluster/${name}`,
    clientStreaming: false,
    serverStreaming: false,
    message: (call, bytes) => {
      handler(parts, call, bytes);
    },
  }));
}

function memberAdd(parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const r = new Reader(bytes);
  const peerUrls: string[] = [];
  let isLearner = false;
  while (r.next()) {
    if (r.tag === 0x0a) peerUrls.push(r.string());
    else if (r.tag === 0x10) isLearner = r.bool();
    else r.skip();
  }
  parts.membership.add(peerUrls, isLearner, (error, added, members) => {
    answer(parts, call, error, members, added);
  });
}

function memberRemove(parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  parts.membership.remove(decodeMemberRequest(bytes).id, (error, members) => {
    answer(parts, call, error, members);
  });
}

function memberUpdate(parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const { id, peerUrls } = decodeMemberRequest(bytes);
  parts.membership.update(id, peerUrls, (error, members) => {
    answer(parts, call, error, members);
  });
}

function memberPromote(parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  parts.membership.promote(decodeMemberRequest(bytes).id, (error, members) => {
    answer(parts, call, error, members);
  });
}

function memberList(parts: ClusterServiceParts, call: GrpcCall, bytes: Uint8Array): void {
  const r = new Reader(bytes);
  let isLinearizable = false;
  while (r.next()) {
    if (r.tag === 0x08) isLinearizable = r.bool();
    else r.skip();
  }
  const ready = (error: EtcdError | null): void => {
    answer(parts, call, error, parts.cluster.members());
  };
  if (isLinearizable) parts.reads.read({ ready });
  else ready(null);
}

/** The requests that name one member: its id is field 1, its URLs, where there are any, field 2. */
function decodeMemberRequest(bytes: Uint8Array): { id: bigint; peerUrls: string[] } {
  const r = new Reader(bytes);
  const peerUrls: string[] = [];
  let id = 0n;
  while (r.next()) {
    if (r.tag === 0x08) id = r.bigUint64();
    else if (r.tag === 0x12) peerUrls.push(r.string());
    else r.skip();
  }
  return { id, peerUrls };
}

const tagMembers = 0x12;
const tagAdded = 0x12;
const tagMembersOfAdd = 0x1a;

/** Header, the added member if there is one, and all members. */
function answer(
  { answers }: ClusterServiceParts,
  call: GrpcCall,
  error: EtcdError | null,
  members: readonly Member[],
  added: Member | null = null,
): void {
  if (error !== null) {
    answers.fail(call, error);
    return;
  }
  const out = answers.begin(0); // answers of this service carry no revision
  if (added !== null) writeMember(out, tagAdded, added);
  const tag = added === null ? tagMembers : tagMembersOfAdd;
  for (const member of members) writeMember(out, tag, member);
  answers.send(call, out);
}

function writeMember(out: Writer, tag: number, member: Member): void {
  const mark = out.beginNested(tag);
  bigField(out, 0x08, member.id);
  if (member.name !== "") out.bytesField(0x12, utf8(member.name));
  for (const url of member.peerUrls) out.bytesField(0x1a, utf8(url));
  for (const url of member.clientUrls) out.bytesField(0x22, utf8(url));
  boolField(out, 0x28, member.isLearner);
  out.endNested(mark);
}
