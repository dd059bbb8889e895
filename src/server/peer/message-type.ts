/** raftpb.MessageType by name, and which of them may come from another member. */

export const messageType = {
  app: 3,
  snap: 7,
  heartbeat: 8,
} as const;

const names = [
  "MsgHup",
  "MsgBeat",
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgStorageAppend",
  "MsgStorageAppendResp",
  "MsgStorageApply",
  "MsgStorageApplyResp",
  "MsgForgetLeader",
];

export function messageTypeName(type: number): string {
  return names[type] ?? String(type);
}

/** A raft node sends itself these; from outside they would only deceive it. */
const local = new Set(
  ["MsgHup", "MsgBeat", "MsgUnreachable", "MsgSnapStatus", "MsgCheckQuorum"].map((name) =>
    names.indexOf(name),
  ),
);
const storageFirst = names.indexOf("MsgStorageAppend");

export function mayTravel(type: number): boolean {
  return type >= 0 && type < storageFirst && !local.has(type);
}

/** Passed on for others, so that `from` need not be the member that sends. */
const forwarded = new Set(
  ["MsgProp", "MsgTransferLeader", "MsgReadIndex"].map((name) => names.indexOf(name)),
);

export function isForwarded(type: number): boolean {
  return forwarded.has(type);
}
