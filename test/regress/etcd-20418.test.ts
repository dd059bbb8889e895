import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../../src/raft/message.ts";
import { RaftMember } from "../raft/raft-member.ts";

// Seen to fail when acknowledge() in src/raft/read-index.ts counts an answer for the newest round
// whatever round it names.
test("etcd 20418 (row 27): a retried read is not confirmed by answers to an earlier attempt", () => {
  const leader = RaftMember.elected(1n, [1n, 2n, 3n]);
  assert.equal(leader.node.readIndex(1), true);
  const early = leader.takeSent(MessageType.heartbeat);
  assert.equal(early.length, 2);

  // The leader is paused; the others elect one of them and commit. Then it goes on, the reader asks
  // again, and the answers from before the pause arrive.
  assert.equal(leader.node.readIndex(2), true);
  const late = leader.takeSent(MessageType.heartbeat);
  assert.notDeepEqual(late[0]!.context, early[0]!.context);
  for (const { to, context } of early) {
    leader.step({ type: MessageType.heartbeatResponse, from: to, context });
  }
  assert.deepEqual(leader.takeReads(), [1], "the attempt they answer, which nobody waits for");

  leader.step({ type: MessageType.appendResponse, from: 2n, term: leader.node.term + 1 });
  assert.equal(leader.node.role, "follower");
  assert.deepEqual(leader.takeReads(), []);
});

test("etcd 20418 (row 27): no two rounds of a term have the same context", () => {
  const leader = RaftMember.elected(1n, [1n, 2n, 3n]);
  const seen = new Set<string>();
  for (let context = 1; context <= 300; context++) {
    leader.node.readIndex(context);
    leader.node.tick(); // also the round that the tick makes is new
    for (const heartbeat of leader.takeSent(MessageType.heartbeat)) {
      if (heartbeat.to === 2n) seen.add(heartbeat.context.join());
    }
    leader.step({ type: MessageType.heartbeatResponse, from: 2n });
  }
  assert.equal(seen.size, 300);
});
