/** The vocabulary of raft as etcd uses it. Ids are bigint; index and term are safe integers. */

export type RaftId = bigint;

export const EntryType = { normal: 0, confChange: 1, confChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export interface Entry {
  readonly type: EntryType;
  readonly term: number;
  readonly index: number;
  /**
   * etcd's InternalRaftRequest, or a ConfChange; empty for a new leader's first entry. Never
   * changes.
   */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** 0n: no vote. */
  readonly vote: RaftId;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: readonly RaftId[];
  readonly learners: readonly RaftId[];
  readonly votersOutgoing: readonly RaftId[];
  readonly learnersNext: readonly RaftId[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}

export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

export type RoleName = "follower" | "preCandidate" | "candidate" | "leader";

export interface SoftState {
  /** 0n: none known. */
  readonly leader: RaftId;
  readonly role: RoleName;
}

/** A confirmed read: everything up to `index` was committed when the read was asked for. */
export interface ReadState {
  readonly index: number;
  /** As given to readIndex. */
  readonly context: number;
}
