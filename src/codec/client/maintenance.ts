/** Messages of the Maintenance service. */
import type { Header } from "./results.ts";
import {
  bool,
  bytes,
  enumeration,
  header,
  int64,
  list,
  memberId,
  Message,
  optional,
  string,
  strings,
  uint32,
  uint64,
  type Unnamed,
} from "./schema.ts";

export type AlarmType = "none" | "nospace" | "corrupt";

export interface AlarmMember {
  readonly memberId: bigint;
  readonly alarm: AlarmType | Unnamed;
}

export interface AlarmRequest extends AlarmMember {
  readonly action: "get" | "activate" | "deactivate" | Unnamed;
}

export interface AlarmResult {
  readonly header: Header;
  readonly alarms: readonly AlarmMember[];
}

/** One member's view of itself. */
export interface StatusResult {
  readonly header: Header;
  /** etcd's version that the member speaks. */
  readonly version: string;
  /** Bytes of the database file. */
  readonly dbSize: number;
  /** Bytes of it in use. */
  readonly dbSizeInUse: number;
  /** Bytes it may grow to; 0 from members older than 3.6. */
  readonly dbSizeQuota: number;
  /** Id of the leader; 0n: none known. */
  readonly leader: bigint;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
  readonly isLearner: boolean;
  /** "" from members older than 3.6. */
  readonly storageVersion: string;
  readonly downgradeInfo: DowngradeInfo | null;
}

export interface DowngradeInfo {
  readonly isEnabled: boolean;
  readonly targetVersion: string;
}

export interface HashResult {
  readonly header: Header;
  readonly hash: number;
}

export interface HashKvResult extends HashResult {
  readonly compactRevision: number;
  /** The revision that was hashed; 0 from members older than 3.6. */
  readonly hashRevision: number;
}

export interface SnapshotChunk {
  /** Header of the member's answer; only some chunks have one. */
  readonly header: Header;
  /** Bytes still to come behind this chunk, without the checksum at the end. */
  readonly remainingBytes: number;
  readonly blob: Uint8Array;
  /** Version of the storage; "" from members older than 3.6. */
  readonly version: string;
}

export interface DowngradeRequest {
  readonly action: "validate" | "enable" | "cancel" | Unnamed;
  readonly version: string;
}

export interface DowngradeResult {
  readonly header: Header;
  /** The cluster's version. */
  readonly version: string;
}

const alarmNames = ["none", "nospace", "corrupt"] as const;

const alarmMember = new Message<AlarmMember>({
  memberId: memberId(1),
  alarm: enumeration<AlarmType>(2, alarmNames),
});

export const alarmRequest = new Message<AlarmRequest>({
  action: enumeration<"get" | "activate" | "deactivate">(1, ["get", "activate", "deactivate"]),
  memberId: memberId(2),
  alarm: enumeration<AlarmType>(3, alarmNames),
});

export const alarmResponse = new Message<AlarmResult>({ header, alarms: list(2, alarmMember) });

const downgradeInfo = new Message<DowngradeInfo>({ isEnabled: bool(1), targetVersion: string(2) });

export const statusResponse = new Message<StatusResult>({
  header,
  version: string(2),
  dbSize: int64(3),
  leader: memberId(4),
  raftIndex: uint64(5),
  raftTerm: uint64(6),
  raftAppliedIndex: uint64(7),
  errors: strings(8),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
  downgradeInfo: optional(13, downgradeInfo),
});

export const hashResponse = new Message<HashResult>({ header, hash: uint32(2) });

export const hashKvRequest = new Message<{ readonly revision: number }>({ revision: int64(1) });

export const hashKvResponse = new Message<HashKvResult>({
  header,
  hash: uint32(2),
  compactRevision: int64(3),
  hashRevision: int64(4),
});

export const snapshotResponse = new Message<SnapshotChunk>({
  header,
  remainingBytes: uint64(2),
  blob: bytes(3),
  version: string(4),
});

export const moveLeaderRequest = new Message<{ readonly targetId: bigint }>({
  targetId: memberId(1),
});

export const downgradeRequest = new Message<DowngradeRequest>({
  action: enumeration<"validate" | "enable" | "cancel">(1, ["validate", "enable", "cancel"]),
  version: string(2),
});

export const downgradeResponse = new Message<DowngradeResult>({ header, version: string(2) });
