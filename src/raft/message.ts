import type { Entry, RaftId, Snapshot } from "./types.ts";

/** raftpb.MessageType, as far as messages travel between members. */
export const MessageType = {
  propose: 2,
  append: 3,
  appendResponse: 4,
  vote: 5,
  voteResponse: 6,
  snapshot: 7,
  heartbeat: 8,
  heartbeatResponse: 9,
  transferLeader: 13,
  timeoutNow: 14,
  readIndex: 15,
  readIndexResponse: 16,
  preVote: 17,
  preVoteResponse: 18,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** One message between raft nodes, with raftpb.Message's meanings. Never changes once made. */
export interface Message {
  /** A {@link MessageType}; others are ignored. */
  readonly type: number;
  readonly to: RaftId;
  readonly from: RaftId;
  /** 0: the message belongs to no term (propose, readIndex). */
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

const noEntries: readonly Entry[] = [];
const noContext = new Uint8Array(0);

/** A message with the given parts; all others are zero or empty. */
export function createMessage(
  parts: Pick<Message, "type" | "to" | "from"> & Partial<Message>,
): Message {
  return {
    type: parts.type,
    to: parts.to,
    from: parts.from,
    term: parts.term ?? 0,
    logTerm: parts.logTerm ?? 0,
    index: parts.index ?? 0,
    entries: parts.entries ?? noEntries,
    commit: parts.commit ?? 0,
    snapshot: parts.snapshot ?? null,
    reject: parts.reject ?? false,
    rejectHint: parts.rejectHint ?? 0,
    context: parts.context ?? noContext,
  };
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
