import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../../src/raft/message.ts";
import { RaftMember } from "../raft/raft-member.ts";

function data(size: number): Uint8Array {
  return new Uint8Array(size);
}

// Seen to fail when UnstableLog.truncateFrom leaves `offset` or `handedOut` where they are.
test("etcd raft 76f1249 (row 58): appends go on behind a truncation, synced or not", () => {
  for (const isSynced of [true, false]) {
    const follower = new RaftMember(1n, [1n, 2n, 3n]);
    const append = (term: number, index: number, logTerm: number, ...terms: number[]): void => {
      const entries = terms.map((one, at) => ({
        type: 0 as const,
        term: one,
        index: index + 1 + at,
        data: data(1),
      }));
      const parts = { type: MessageType.append, from: 2n, term, index, logTerm, entries };
      if (isSynced) follower.step(parts);
      else follower.deliver(parts);
    };
    append(1, 0, 0, 1, 1, 1);
    append(2, 1, 1, 2);
    append(2, 2, 2, 2, 2);
    append(3, 3, 2, 3, 3, 3);
    follower.work();
    const { lastIndex, syncedIndex } = follower.node.status();
    assert.deepEqual([lastIndex, syncedIndex], [6, 6]);
    const terms = follower.storage.entries(1, 7, Infinity)!.map(({ term }) => term);
    assert.deepEqual(terms, [1, 2, 2, 3, 3, 3]);
  }
});

// Seen to fail when Leader keeps its bytes over terms, or released() is not called.
test("etcd raft 0c22de0 (row 58): the bytes of proposals that were lost are given back", () => {
  const member = RaftMember.elected(1n, [1n, 2n, 3n], { uncommittedBytesMax: 100 });
  for (let round = 0; round < 5; round++) {
    assert.equal(member.node.propose(data(60)), "accepted");
    assert.equal(member.node.propose(data(60)), "overloaded");
    // Another leader cuts the entry off; then this member is elected again.
    const { lastIndex, term } = member.node.status();
    const entries = [{ type: 0 as const, term: term + 1, index: lastIndex, data: data(1) }];
    const parts = { index: lastIndex - 1, logTerm: term, entries };
    member.step({ type: MessageType.append, from: 2n, term: term + 1, ...parts });
    assert.equal(member.node.status().lastIndex, lastIndex);
    member.elect();
    member.acknowledgeAll(2n);
  }
  for (let i = 0; i < 20; i++) {
    assert.equal(member.node.propose(data(60)), "accepted");
    member.acknowledgeAll(2n);
  }
});

// Seen to fail when Progress.becomeProbe does not reset the window.
test("etcd raft (row 58): bytes under way do not leak over probes of a member", () => {
  const settings = { inflightBytesMax: 100, messageBytesMax: 40 };
  const leader = RaftMember.elected(1n, [1n, 2n, 3n], settings);
  leader.acknowledgeAll(2n);
  for (let round = 0; round < 10; round++) {
    leader.node.propose(data(90));
    assert.equal(
      leader.takeSent(MessageType.append).some(({ to }) => to === 2n),
      true,
    );
    leader.node.reportUnreachable(2n);
    leader.step({ type: MessageType.heartbeatResponse, from: 2n });
    leader.acknowledgeAll(2n);
    leader.takeSent(MessageType.append);
  }
});

// Seen to fail when RaftLog.lastIndexWithin, or the append, takes a term that is gone for an error.
test("etcd raft (row 58): a refusal from before the log in memory leads to a snapshot", () => {
  const leader = RaftMember.elected(1n, [1n, 2n, 3n]);
  for (let i = 0; i < 5; i++) leader.node.propose(data(1));
  leader.work();
  leader.acknowledgeAll(2n);
  leader.storage.trim(4);
  const metadata = { index: 5, term: 1, confState: leader.node.confState };
  leader.storage.provideSnapshots(() => metadata);
  leader.takeSent(MessageType.append);
  const index = leader.node.progress()[1]!.next - 1;
  const refusal = { index, reject: true, rejectHint: 2, logTerm: 1 };
  leader.step({ type: MessageType.appendResponse, from: 3n, ...refusal });
  const snapshots = leader.takeSent(MessageType.snapshot);
  assert.deepEqual(
    snapshots.map(({ to, snapshot }) => [to, snapshot!.metadata.index]),
    [[3n, 5]],
  );
  leader.step({ type: MessageType.appendResponse, from: 3n, index: 5 });
  assert.equal(leader.node.progress()[1]!.state, "replicate");
});
