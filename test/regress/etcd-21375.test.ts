import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../../src/raft/message.ts";
import { RaftMember } from "../raft/raft-member.ts";

// Seen to fail when Raft keeps its Leader (the reads with it) over a change of term.
test("etcd 21375 (row 28): a read asked for in one term is not answered in a later one", () => {
  const member = RaftMember.elected(1n, [1n, 2n, 3n]);
  member.node.readIndex(1);
  const [old] = member.takeSent(MessageType.heartbeat);

  // The leadership is lost and won again while the read waits: everything at once.
  member.step({ type: MessageType.appendResponse, from: 3n, term: member.node.term + 1 });
  member.elect();
  assert.equal(member.node.role, "leader");
  const { context } = old!;
  for (const from of [2n, 3n]) {
    member.step({ type: MessageType.heartbeatResponse, from, context, term: old!.term });
    member.step({ type: MessageType.heartbeatResponse, from, context });
  }
  assert.deepEqual(member.takeReads(), []);
});

// Seen to fail without R7 in src/raft/leader.ts: the read is started before the first commit.
test("etcd 21375 (row 28): a new leader answers reads only after the first commit of its term", () => {
  const member = new RaftMember(1n, [1n, 2n, 3n]);
  member.elect();
  assert.equal(member.node.readIndex(5), true);
  member.node.tick();
  for (const { to, context } of member.takeSent(MessageType.heartbeat)) {
    member.step({ type: MessageType.heartbeatResponse, from: to, context });
  }
  assert.deepEqual(member.takeReads(), []);
  member.step({ type: MessageType.appendResponse, from: 2n, index: 1 });
  const [round] = member.takeSent(MessageType.heartbeat);
  member.step({ type: MessageType.heartbeatResponse, from: 2n, context: round!.context });
  assert.deepEqual(member.takeReads(), [5]);
});
