import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Progress } from "./progress.ts";

const numRuns = Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 15_000);

function progress(next = 1, inflightsMax = 256): Progress {
  return new Progress({ next, isLearner: false, inflightsMax, inflightBytesMax: Infinity });
}

/** In replicate with entries up to `match` acknowledged. */
function replicating(match: number, inflightsMax = 256): Progress {
  const p = progress(match + 1, inflightsMax);
  p.updatedTo(match);
  p.becomeReplicate();
  return p;
}

test("a probe sends one append with entries and then waits", () => {
  const p = progress(11);
  p.sentEntries(0, 0);
  assert.equal(p.isPaused(), false);
  p.sentEntries(3, 30);
  assert.deepEqual([p.isPaused(), p.next, p.inflights.count], [true, 11, 0]);
  p.resumeAppend();
  assert.equal(p.isPaused(), false);
});

test("replicate runs ahead until the window is full, and an answer to a heartbeat lets one go", () => {
  const p = replicating(10, 2);
  p.sentEntries(2, 20);
  assert.deepEqual([p.isPaused(), p.next], [false, 13]);
  p.sentEntries(1, 10);
  assert.deepEqual([p.isPaused(), p.next, p.inflights.bytes], [true, 14, 30]);
  p.resumeAppend();
  p.sentEntries(0, 0); // the append that goes is empty: it asks, and pauses again
  assert.equal(p.isPaused(), true);
  p.inflights.freeTo(12);
  assert.equal(p.updatedTo(12), true);
  assert.deepEqual([p.isPaused(), p.match, p.next], [false, 12, 14]);
});

test("a refusal in replicate goes back to the match, an old one changes nothing", () => {
  const p = replicating(10);
  p.sentEntries(5, 5);
  assert.equal(p.decreaseTo(10, 3), false);
  assert.equal(p.next, 16);
  assert.equal(p.decreaseTo(15, 3), true);
  assert.equal(p.next, 11);
});

test("a refusal of a probe goes to the hint, never below the match, and only for the last probe", () => {
  const p = progress(21);
  assert.equal(p.decreaseTo(19, 5), false);
  assert.equal(p.decreaseTo(20, 25), true);
  assert.equal(p.next, 20);
  assert.equal(p.decreaseTo(19, 5), true);
  assert.equal(p.next, 6);
  p.updatedTo(4);
  assert.equal(p.decreaseTo(5, 0), true);
  assert.equal(p.next, 5);
});

test("a snapshot holds appends back; afterwards the search goes on behind it, or at the match", () => {
  const p = replicating(3);
  p.becomeSnapshot(20);
  assert.deepEqual([p.isPaused(), p.pendingSnapshot, p.next], [true, 20, 21]);
  p.resumeAppend();
  assert.equal(p.isPaused(), true);
  assert.equal(p.decreaseTo(20, 3), false);
  assert.throws(() => p.sentEntries(1, 1), /snapshot is under way/);
  p.becomeProbe();
  assert.deepEqual([p.isPaused(), p.pendingSnapshot, p.next], [false, 0, 21]);
  p.pauseAppend();
  assert.equal(p.isPaused(), true);
  p.becomeSnapshot(20);
  p.snapshotFailed();
  p.becomeProbe();
  assert.deepEqual([p.state, p.next], ["probe", 4]);
  assert.throws(() => p.becomeSnapshot(3), /has 3/);
});

test("a member that has more than the snapshot goes on from what it has", () => {
  const p = replicating(3);
  p.becomeSnapshot(20);
  assert.equal(p.updatedTo(25), true);
  p.becomeProbe();
  assert.equal(p.next, 26);
});

test("a commit index is sent on only while it can advance the member's", () => {
  const p = replicating(10);
  assert.equal(p.canAdvanceCommit(5), true);
  p.sentCommit(5);
  assert.equal(p.canAdvanceCommit(5), false);
  assert.equal(p.canAdvanceCommit(6), true);
  p.sentCommit(30); // the member has 10 entries: it commits 10 of them
  assert.equal(p.canAdvanceCommit(31), false);
  p.sentEntries(5, 5);
  assert.equal(p.canAdvanceCommit(31), true);
  p.sentCommit(12);
  p.becomeProbe();
  assert.equal(p.canAdvanceCommit(31), false);
});

const step = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), count: fc.nat(3), bytes: fc.nat(50) }),
  fc.record({ kind: fc.constant("ack" as const), behind: fc.nat(8) }),
  fc.record({ kind: fc.constant("refuse" as const), behind: fc.nat(8), hint: fc.nat(60) }),
  fc.record({ kind: fc.constant("snapshot" as const), ahead: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant("commit" as const), index: fc.nat(80) }),
  fc.record({
    kind: fc.constantFrom(
      "probe" as const,
      "replicate" as const,
      "failed" as const,
      "resume" as const,
    ),
  }),
);

test("the invariants hold after any steps, and bytes under way are those of the messages", () => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const options = { next: 1, isLearner: false, inflightsMax: 4, inflightBytesMax: 100 };
    const p = new Progress(options);
    let sent: { last: number; bytes: number }[] = [];
    for (const s of steps) {
      const before = { match: p.match, state: p.state };
      if (s.kind === "send" && !p.isPaused() && (s.count === 0 || !p.inflights.isFull)) {
        p.sentEntries(s.count, s.bytes);
        if (p.state === "replicate" && s.count > 0) sent.push({ last: p.next - 1, bytes: s.bytes });
      } else if (s.kind === "ack") {
        const index = Math.max(0, p.next - 1 - s.behind);
        assert.equal(p.updatedTo(index), index > before.match);
        p.inflights.freeTo(index);
        sent = sent.filter(({ last }) => last > index);
      } else if (s.kind === "refuse") {
        if (p.decreaseTo(p.next - 1 - s.behind, s.hint) && p.state === "replicate") p.becomeProbe();
      } else if (s.kind === "snapshot") p.becomeSnapshot(p.match + s.ahead);
      else if (s.kind === "commit") p.sentCommit(s.index);
      else if (s.kind === "probe") p.becomeProbe();
      else if (s.kind === "replicate") p.becomeReplicate();
      else if (s.kind === "failed") p.snapshotFailed();
      else if (s.kind === "resume") p.resumeAppend();
      if (["snapshot", "probe", "replicate"].includes(s.kind) || p.state !== before.state)
        sent = [];
      assert.ok(p.match >= before.match && p.match < p.next); // P1, P2
      assert.equal(p.inflights.count, sent.length); // P3
      assert.equal(
        p.inflights.bytes,
        sent.reduce((sum, message) => sum + message.bytes, 0),
      );
      if (p.state !== "snapshot")
        assert.equal(p.pendingSnapshot, 0); // P4
      else if (p.pendingSnapshot > p.match) assert.equal(p.next, p.pendingSnapshot + 1);
      if (p.canAdvanceCommit(Infinity)) p.sentCommit(Infinity);
      assert.equal(p.canAdvanceCommit(Infinity), false); // P5
    }
  });
  fc.assert(property, { numRuns });
});

test("probing finds the last common entry of any two logs, in as many steps as the log at most", () => {
  const logs = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 12 });
  const property = fc.property(logs, logs, fc.nat(6), (own, other, common) => {
    const terms = (steps: number[]): number[] => {
      const list: number[] = [];
      for (const grow of steps) list.push((list.at(-1) ?? 1) + grow);
      return list;
    };
    const leader = terms(own);
    const follower = [...leader.slice(0, common), ...terms(other).map((term) => term + 20)];
    const agreed = Math.min(common, leader.length);
    const p = progress(leader.length + 1);
    for (let steps = 0; ; steps++) {
      assert.ok(steps <= leader.length + 1);
      const index = p.next - 1;
      if (index === 0 || leader[index - 1] === follower[index - 1]) break;
      const hint = Math.min(index, follower.length); // the plainest hint there is
      assert.equal(p.decreaseTo(index, hint), true);
    }
    assert.equal(p.next - 1, agreed);
  });
  fc.assert(property, { numRuns });
});
