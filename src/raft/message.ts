import type { Entry, RaftId, Snapshot } from "./types.ts";

/** One message between raft nodes, with raftpb.Message's meanings. Never changes once made. */
export interface Message {
  /** A raftpb.MessageType. */
  readonly type: number;
  readonly to: RaftId;
  readonly from: RaftId;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: Uint8Array;
}

/** etcd's raftpb.ConfChangeType. */
export const ConfChangeType = { addNode: 0, removeNode: 1, updateNode: 2, addLearner: 3 } as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/** A decoded raftpb.ConfChange (v1), as far as raft needs it. */
export interface ConfChange {
  readonly type: ConfChangeType;
  /** 0n: a change that failed validation; it changes nothing. */
  readonly nodeId: RaftId;
}
