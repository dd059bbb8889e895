/** The answers of etcd 3.7 as tables: proto names and numbers. */
import type { Schema } from "./message.ts";
import { many, one, schema } from "./message.ts";

type MessageOf<S> = S extends Schema<infer T> ? T : never;

export const responseHeader = schema({
  cluster_id: one(1, "uint64"),
  member_id: one(2, "uint64"),
  revision: one(3, "int64"),
  raft_term: one(4, "uint64"),
});
export type ResponseHeader = MessageOf<typeof responseHeader>;

/** What many answers are: a header and nothing else. */
export const headerOnly = schema({ header: one(1, responseHeader) });
export type HeaderOnly = MessageOf<typeof headerOnly>;

const keyValue = schema({
  key: one(1, "bytes"),
  create_revision: one(2, "int64"),
  mod_revision: one(3, "int64"),
  version: one(4, "int64"),
  value: one(5, "bytes"),
  lease: one(6, "int64"),
});
export type KeyValueMessage = MessageOf<typeof keyValue>;

export const rangeResponse = schema({
  header: one(1, responseHeader),
  kvs: many(2, keyValue),
  more: one(3, "bool"),
  count: one(4, "int64"),
});
export type RangeResponse = MessageOf<typeof rangeResponse>;

export const rangeStreamResponse = schema({ range_response: one(1, rangeResponse) });

export const putResponse = schema({
  header: one(1, responseHeader),
  prev_kv: one(2, keyValue),
});
export type PutResponse = MessageOf<typeof putResponse>;

export const deleteRangeResponse = schema({
  header: one(1, responseHeader),
  deleted: one(2, "int64"),
  prev_kvs: many(3, keyValue),
});
export type DeleteRangeResponse = MessageOf<typeof deleteRangeResponse>;

/** At most one of them is not null. */
export interface ResponseOp {
  readonly response_range: RangeResponse | null;
  readonly response_put: PutResponse | null;
  readonly response_delete_range: DeleteRangeResponse | null;
  readonly response_txn: TxnResponse | null;
}

export interface TxnResponse {
  readonly header: ResponseHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

const responseOp: Schema<ResponseOp> = schema({
  response_range: one(1, rangeResponse),
  response_put: one(2, putResponse),
  response_delete_range: one(3, deleteRangeResponse),
  response_txn: one(4, (): Schema<TxnResponse> => txnResponse),
});

export const txnResponse: Schema<TxnResponse> = schema({
  header: one(1, responseHeader),
  succeeded: one(2, "bool"),
  responses: many(3, responseOp),
});

export const event = schema({
  type: one(1, "enum"),
  kv: one(2, keyValue),
  prev_kv: one(3, keyValue),
});
export type EventMessage = MessageOf<typeof event>;

export const watchResponse = schema({
  header: one(1, responseHeader),
  watch_id: one(2, "int64"),
  created: one(3, "bool"),
  canceled: one(4, "bool"),
  compact_revision: one(5, "int64"),
  cancel_reason: one(6, "string"),
  events: many(11, event),
});

export type WatchResponse = MessageOf<typeof watchResponse>;

export const leaseGrantResponse = schema({
  header: one(1, responseHeader),
  ID: one(2, "int64"),
  TTL: one(3, "int64"),
  error: one(4, "string"),
});
export type LeaseGrantResponse = MessageOf<typeof leaseGrantResponse>;

export const leaseTimeToLiveResponse = schema({
  header: one(1, responseHeader),
  ID: one(2, "int64"),
  TTL: one(3, "int64"),
  grantedTTL: one(4, "int64"),
  keys: many(5, "bytes"),
});
export type LeaseTimeToLiveResponse = MessageOf<typeof leaseTimeToLiveResponse>;

const leaseStatus = schema({ ID: one(1, "int64") });

export const leaseLeasesResponse = schema({
  header: one(1, responseHeader),
  leases: many(2, leaseStatus),
});
export type LeaseLeasesResponse = MessageOf<typeof leaseLeasesResponse>;

export const member = schema({
  ID: one(1, "uint64"),
  name: one(2, "string"),
  peerURLs: many(3, "string"),
  clientURLs: many(4, "string"),
  isLearner: one(5, "bool"),
});
export type MemberMessage = MessageOf<typeof member>;

export const memberAddResponse = schema({
  header: one(1, responseHeader),
  member: one(2, member),
  members: many(3, member),
});
export type MemberAddResponse = MessageOf<typeof memberAddResponse>;

/** The answer to list, remove, update and promote. */
export const membersResponse = schema({
  header: one(1, responseHeader),
  members: many(2, member),
});
export type MembersResponse = MessageOf<typeof membersResponse>;

const alarmMember = schema({
  memberID: one(1, "uint64"),
  alarm: one(2, "enum"),
});

export const alarmResponse = schema({
  header: one(1, responseHeader),
  alarms: many(2, alarmMember),
});
export type AlarmResponse = MessageOf<typeof alarmResponse>;

const downgradeInfo = schema({
  enabled: one(1, "bool"),
  targetVersion: one(2, "string"),
});

export const statusResponse = schema({
  header: one(1, responseHeader),
  version: one(2, "string"),
  dbSize: one(3, "int64"),
  leader: one(4, "uint64"),
  raftIndex: one(5, "uint64"),
  raftTerm: one(6, "uint64"),
  raftAppliedIndex: one(7, "uint64"),
  errors: many(8, "string"),
  dbSizeInUse: one(9, "int64"),
  isLearner: one(10, "bool"),
  storageVersion: one(11, "string"),
  dbSizeQuota: one(12, "int64"),
  downgradeInfo: one(13, downgradeInfo),
});
export type StatusResponse = MessageOf<typeof statusResponse>;

export const hashKvResponse = schema({
  header: one(1, responseHeader),
  hash: one(2, "uint32"),
  compact_revision: one(3, "int64"),
  hash_revision: one(4, "int64"),
});
export type HashKvResponse = MessageOf<typeof hashKvResponse>;

export const downgradeResponse = schema({
  header: one(1, responseHeader),
  version: one(2, "string"),
});
export type DowngradeResponse = MessageOf<typeof downgradeResponse>;

export const authStatusResponse = schema({
  header: one(1, responseHeader),
  enabled: one(2, "bool"),
  authRevision: one(3, "uint64"),
});
export type AuthStatusResponse = MessageOf<typeof authStatusResponse>;

export const userGetResponse = schema({
  header: one(1, responseHeader),
  roles: many(2, "string"),
});
export type UserGetResponse = MessageOf<typeof userGetResponse>;

export const userListResponse = schema({
  header: one(1, responseHeader),
  users: many(2, "string"),
});
export type UserListResponse = MessageOf<typeof userListResponse>;

const permission = schema({
  permType: one(1, "enum"),
  key: one(2, "bytes"),
  range_end: one(3, "bytes"),
});
export type PermissionMessage = MessageOf<typeof permission>;

export const roleGetResponse = schema({
  header: one(1, responseHeader),
  perm: many(2, permission),
});
export type RoleGetResponse = MessageOf<typeof roleGetResponse>;

export const roleListResponse = schema({
  header: one(1, responseHeader),
  roles: many(2, "string"),
});
export type RoleListResponse = MessageOf<typeof roleListResponse>;
