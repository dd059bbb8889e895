import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { emptyConfState } from "./conf-change.ts";
import { raftDefaults, type RaftConfig } from "./config.ts";
import { createMessage, MessageType as Type, type Message } from "./message.ts";
import { RawNode, type Ready } from "./raw-node.ts";
import { MemoryStorage } from "./storage.ts";
import { EntryType, type ConfState, type Entry } from "./types.ts";

const three: ConfState = { ...emptyConfState, voters: [1n, 2n, 3n] };

/** Node 1 with a disk that is quick; the messages of its members are written by hand. */
class Bench {
  readonly node: RawNode;
  readonly storage = new MemoryStorage(0, 0, { bytesMax: Infinity, catchUpEntries: 0 });
  readonly readys: Ready[] = [];

  constructor(settings: Partial<RaftConfig> = {}, confState = three) {
    const config = { ...raftDefaults, id: 1n, random: createRandom(1), preVote: false };
    const hardState = { term: 0, vote: 0n, commit: 0 };
    const start = { storage: this.storage, hardState, confState, applied: 0 };
    this.node = new RawNode({ ...config, ...settings }, start);
  }

  /** Does all work there is; returns what was sent, in the order in which it may leave. */
  work(): Message[] {
    const sent: Message[] = [];
    while (this.node.hasReady()) {
      const ready = this.node.ready();
      this.readys.push(ready);
      if (ready.snapshot !== null) this.storage.applySnapshot(ready.snapshot);
      this.storage.append(ready.entries);
      this.node.synced(ready.number);
      sent.push(...ready.messages, ...ready.messagesAfterSync);
      const last = ready.committedEntries.at(-1);
      if (last !== undefined) this.node.appliedTo(last.index);
    }
    return sent;
  }

  step(parts: Partial<Message> & Pick<Message, "type" | "from">): Message[] {
    this.node.step(createMessage({ term: this.node.term, ...parts, to: 1n }));
    return this.work();
  }

  /** Wins an election with the vote of 2 and has its first entry acknowledged by 2. */
  lead(): Message[] {
    this.node.campaign();
    this.work();
    const sent = this.step({ type: Type.voteResponse, from: 2n });
    assert.equal(this.node.role, "leader");
    const { lastIndex } = this.node.status();
    return [...sent, ...this.step({ type: Type.appendResponse, from: 2n, index: lastIndex })];
  }
}

function show(message: Message): string {
  const name = Object.entries(Type).find(([, type]) => type === message.type)![0];
  const indexes = message.entries.map(({ index, term }) => `${term}/${index}`).join(" ");
  return `${name} to ${message.to}${indexes === "" ? "" : ` [${indexes}]`}`;
}

function entry(index: number, term: number, data = new Uint8Array(0)): Entry {
  return { type: EntryType.normal, term, index, data };
}

function bytes(size: number): Uint8Array {
  return new Uint8Array(size);
}

test("proposals of one turn leave in one append per follower, and share their entries", () => {
  const bench = new Bench();
  bench.lead();
  bench.step({ type: Type.appendResponse, from: 3n, index: 1 });
  for (let i = 0; i < 3; i++) assert.equal(bench.node.propose(bytes(1)), "accepted");
  const sent = bench.work();
  assert.deepEqual(sent.map(show), ["append to 2 [1/2 1/3 1/4]", "append to 3 [1/2 1/3 1/4]"]);
  assert.equal(sent[0]!.entries, sent[1]!.entries);
});

test("appends leave with the Ready that carries their entries, before the sync", () => {
  const bench = new Bench();
  bench.lead();
  bench.node.propose(bytes(1));
  const ready = bench.node.ready();
  assert.equal(ready.mustSync, true);
  assert.deepEqual(ready.messages.map(show), ["append to 2 [1/2]"]); // 3 is silent since its probe
  assert.deepEqual(ready.messagesAfterSync, []);
});

test("votes and acknowledgements wait for the sync; heartbeats are answered at once", () => {
  const bench = new Bench();
  bench.node.step(createMessage({ type: Type.vote, from: 2n, to: 1n, term: 5 }));
  bench.node.step(
    createMessage({ type: Type.append, from: 2n, to: 1n, term: 5, entries: [entry(1, 5)] }),
  );
  bench.node.step(createMessage({ type: Type.heartbeat, from: 2n, to: 1n, term: 5 }));
  const ready = bench.node.ready();
  assert.deepEqual(ready.messages.map(show), ["heartbeatResponse to 2"]);
  assert.deepEqual(ready.messagesAfterSync.map(show), ["voteResponse to 2", "appendResponse to 2"]);
  assert.equal(ready.mustSync, true);
});

test("what a follower is asked for in one turn goes to the leader in one message", () => {
  const bench = new Bench();
  bench.step({ type: Type.heartbeat, from: 3n, term: 2 });
  assert.equal(bench.node.propose(bytes(1)), "accepted");
  assert.equal(bench.node.propose(bytes(2)), "accepted");
  assert.equal(bench.node.proposeConfChange(bytes(3)), "accepted");
  const [message, ...others] = bench.work();
  assert.deepEqual(others, []);
  assert.equal(show(message!), "propose to 3 [0/0 0/0 0/0]");
  assert.equal(message!.term, 0, "bound to no term, as in raft v3");
  assert.deepEqual(
    message!.entries.map(({ type, data }) => [type, data.length]),
    [
      [0, 1],
      [0, 2],
      [1, 3],
    ],
  );
});

test("forwarded proposals stay within the byte bound, and are lost with the leader", () => {
  const bench = new Bench({ messageBytesMax: 10 });
  bench.step({ type: Type.heartbeat, from: 3n, term: 2 });
  for (let i = 0; i < 3; i++) bench.node.propose(bytes(6));
  assert.deepEqual(
    bench.work().map(({ entries }) => entries.length),
    [2, 1],
  );
  bench.node.propose(bytes(1));
  bench.node.step(createMessage({ type: Type.vote, from: 2n, to: 1n, term: 3 }));
  assert.equal(bench.node.leader, 3n, "the leader was just heard");
  bench.node.step(createMessage({ type: Type.appendResponse, from: 2n, to: 1n, term: 4 }));
  assert.deepEqual(bench.work(), []);
  assert.equal(bench.node.propose(bytes(1)), "noLeader");
});

test("a forwarded configuration change that cannot be made becomes an empty entry", () => {
  const bench = new Bench();
  bench.lead();
  const change = { type: EntryType.confChange, term: 0, index: 0, data: bytes(4) };
  const plain = { ...change, type: EntryType.normal, data: bytes(2) };
  const entries = [change, change, plain];
  const [append] = bench.step({ type: Type.propose, from: 2n, term: 0, entries });
  assert.deepEqual(
    append!.entries.map(({ type, data }) => [type, data.length]),
    [
      [EntryType.confChange, 4],
      [EntryType.normal, 0],
      [EntryType.normal, 2],
    ],
  );
  assert.equal(bench.node.hasPendingConfChange, true);
  assert.equal(bench.node.proposeConfChange(bytes(1)), "confChangePending");
});

test("a read travels as raft v3 has it, and comes back under its own context only", () => {
  const bench = new Bench();
  assert.equal(bench.node.readIndex(7), false, "no leader to ask");
  bench.step({ type: Type.heartbeat, from: 3n, term: 2 });
  assert.equal(bench.node.readIndex(7), true);
  const [asked] = bench.work();
  assert.equal(show(asked!), "readIndex to 3 [0/0]");
  assert.deepEqual([...asked!.entries[0]!.data], [0, 1, 0, 0, 0, 0, 0, 7]);
  const answer = { type: Type.readIndexResponse, from: 3n, term: 2, index: 9 };
  const foreign = entry(0, 0, new Uint8Array([0, 2, 0, 0, 0, 0, 0, 7]));
  bench.step({ ...answer, entries: [foreign] });
  bench.step({ ...answer, entries: [] });
  bench.step({ ...answer, entries: [asked!.entries[0]!, asked!.entries[0]!] });
  assert.deepEqual(
    bench.readys.flatMap(({ readStates }) => readStates),
    [],
  );
  bench.step({ ...answer, entries: asked!.entries });
  assert.deepEqual(bench.readys.at(-1)!.readStates, [{ context: 7, index: 9 }]);
});

test("an append that comes twice hides no later configuration change from the next election", () => {
  const bench = new Bench();
  const change = { type: EntryType.confChange, term: 1, index: 1, data: bytes(1) };
  const append = { type: Type.append, from: 2n, to: 1n, term: 1 };
  const entries = [change, { ...change, index: 2 }, entry(3, 1)];
  bench.node.step(createMessage({ ...append, entries }));
  bench.node.step(createMessage({ ...append, entries: [change] }));
  bench.node.step(createMessage({ ...append, index: 3, logTerm: 1, commit: 3 }));
  for (let i = 0; i < 2; i++) {
    const ready = bench.node.ready();
    bench.storage.append(ready.entries);
    bench.node.synced(ready.number);
  }
  bench.node.appliedTo(1);
  bench.node.campaign();
  assert.equal(bench.node.role, "follower", "entry 2 is committed, and not applied");
  bench.node.appliedTo(2);
  bench.node.campaign();
  assert.equal(bench.node.role, "candidate");
});

test("messages that contradict themselves change nothing", () => {
  const bench = new Bench();
  const append = { type: Type.append, from: 2n, term: 3 };
  bench.step({ ...append, entries: [entry(1, 1), entry(2, 2)], commit: 1 });
  const before = bench.node.status();
  const bad: Partial<Message>[] = [
    { index: 2, logTerm: 2, entries: [entry(4, 3)] }, // a gap
    { index: 2, logTerm: 2, entries: [entry(3, 3), entry(3, 3)] },
    { index: 2, logTerm: 2, entries: [entry(3, 1)] }, // the term goes back
    { index: 2, logTerm: 2, entries: [entry(3, 4)] }, // of a term to come
  ];
  for (const parts of bad) assert.deepEqual(bench.step({ ...append, ...parts }), []);
  assert.deepEqual(bench.step({ type: Type.snapshot, from: 2n, term: 3 }), []);
  for (const type of [0, 1, 10, 12, 19, 23, 99]) bench.step({ type, from: 2n, term: 3 });
  assert.deepEqual(bench.node.status(), before);
});

test("a snapshot whose configuration contradicts itself, or lacks us, is not taken", () => {
  for (const confState of [
    { ...three, learners: [2n] },
    { ...three, voters: [2n, 3n] },
  ]) {
    const bench = new Bench();
    const snapshot = { metadata: { index: 5, term: 2, confState }, data: bytes(0) };
    const [answer] = bench.step({ type: Type.snapshot, from: 2n, term: 2, snapshot });
    assert.deepEqual([show(answer!), answer!.index], ["appendResponse to 2", 0]);
    assert.equal(bench.node.commit, 0);
    assert.equal(
      bench.readys.every((ready) => ready.snapshot === null),
      true,
    );
  }
});

test("an acknowledgement of entries the leader does not have is not counted", () => {
  const bench = new Bench();
  bench.lead();
  bench.node.propose(bytes(1));
  bench.work();
  bench.step({ type: Type.appendResponse, from: 2n, index: 99 });
  assert.equal(bench.node.commit, 1);
  bench.step({ type: Type.appendResponse, from: 2n, index: 2 });
  assert.equal(bench.node.commit, 2);
});

test("a storage without a snapshot to send leaves the member waiting, and is asked again", () => {
  const bench = new Bench();
  bench.lead();
  for (let i = 0; i < 4; i++) bench.node.propose(bytes(1));
  bench.work();
  bench.step({ type: Type.appendResponse, from: 2n, index: 5 });
  bench.storage.trim(5);
  bench.step({ type: Type.heartbeatResponse, from: 3n });
  assert.equal(bench.node.progress()[1]!.state, "probe");
  let metadata = { index: 0, term: 1, confState: three };
  bench.storage.provideSnapshots(() => metadata);
  assert.deepEqual(bench.step({ type: Type.heartbeatResponse, from: 3n }), [], "of no use");
  metadata = { ...metadata, index: 5 };
  const [message] = bench.step({ type: Type.heartbeatResponse, from: 3n });
  assert.deepEqual([show(message!), message!.snapshot!.metadata], ["snapshot to 3", metadata]);
  assert.deepEqual(bench.node.progress()[1], {
    id: 3n,
    match: 0,
    next: 6,
    state: "snapshot",
    isLearner: false,
    isRecentlyActive: true,
  });
});

test("a follower that cannot reach its leader campaigns early in the range, never before it", () => {
  const { electionTicks } = raftDefaults;
  const campaigns = new Set<number>();
  for (let seed = 1; seed <= 40; seed++) {
    const bench = new Bench({ random: createRandom(seed) });
    bench.step({ type: Type.heartbeat, from: 2n, term: 1 });
    bench.node.reportUnreachable(2n);
    let ticks = 0;
    for (; bench.node.role === "follower"; ticks++) bench.node.tick();
    campaigns.add(ticks);
  }
  const wanted = [electionTicks, electionTicks + 1, electionTicks + 2];
  assert.deepEqual(
    [...campaigns].sort((a, b) => a - b),
    wanted,
  );
});

/** A leader at index 5 whose member 3 is sent a snapshot of it. */
function sendingSnapshot(): Bench {
  const bench = new Bench();
  bench.lead();
  for (let i = 0; i < 4; i++) bench.node.propose(bytes(1));
  bench.work();
  bench.step({ type: Type.appendResponse, from: 2n, index: 5 });
  bench.storage.trim(5, bench.node.wantedFrom);
  bench.storage.provideSnapshots(() => ({ index: 5, term: 1, confState: three }));
  assert.equal(bench.node.wantedFrom, Infinity);
  bench.step({ type: Type.heartbeatResponse, from: 3n });
  assert.equal(bench.node.wantedFrom, 5);
  return bench;
}

test("what follows a snapshot is wanted until its member has all there was when it began to follow", () => {
  const bench = sendingSnapshot();
  for (let i = 0; i < 3; i++) bench.node.propose(bytes(1));
  bench.work();
  bench.step({ type: Type.appendResponse, from: 2n, index: 8 });
  bench.storage.trim(8, bench.node.wantedFrom);
  assert.equal(bench.storage.firstIndex(), 6);
  bench.node.reportSnapshot(3n, true);
  assert.equal(bench.node.wantedFrom, 5, "delivered, but its member is not heard from yet");
  const [append] = bench.step({ type: Type.appendResponse, from: 3n, index: 5 });
  assert.equal(append!.entries.length, 3);
  bench.step({ type: Type.appendResponse, from: 3n, index: 7 });
  assert.equal(bench.node.wantedFrom, 7);
  bench.step({ type: Type.appendResponse, from: 3n, index: 8 });
  assert.equal(bench.node.wantedFrom, Infinity);
});

test("nothing is wanted for a member whose snapshot failed, or that stays silent", () => {
  const failed = sendingSnapshot();
  failed.node.reportSnapshot(3n, false);
  assert.equal(failed.node.wantedFrom, Infinity);
  const silent = sendingSnapshot();
  for (let check = 0; check <= 32; check++) {
    if (check < 30) assert.equal(silent.node.wantedFrom, 5);
    for (let tick = 0; tick < raftDefaults.electionTicks; tick++) silent.node.tick();
    silent.step({ type: Type.heartbeatResponse, from: 2n });
  }
  assert.deepEqual([silent.node.role, silent.node.wantedFrom], ["leader", Infinity]);
});

test("the only voter is elected in one term, however long its disk and whoever ticks", () => {
  const { node } = new Bench({ preVote: true }, { ...emptyConfState, voters: [1n] });
  node.tick();
  const { number } = node.ready();
  for (let tick = 0; tick < 2 * raftDefaults.electionTicks; tick++) node.tick();
  node.synced(number);
  assert.deepEqual([node.role, node.term], ["leader", 1]);
});

test("a member alone sends nothing, whatever it does", () => {
  const bench = new Bench({}, { ...emptyConfState, voters: [1n] });
  bench.node.campaign();
  bench.work();
  assert.equal(bench.node.role, "leader");
  for (let i = 0; i < 50; i++) {
    bench.node.propose(bytes(1));
    bench.node.readIndex(i);
    bench.node.tick();
    bench.node.transferLeadership(2n);
    assert.deepEqual(bench.work(), []);
  }
  assert.equal(bench.node.commit, 51);
  assert.equal(bench.readys.flatMap(({ readStates }) => readStates).length, 50);
  assert.deepEqual(bench.node.progress(), []);
});
