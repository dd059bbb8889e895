import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../../src/base/random.ts";
import type { ConfState } from "../../src/raft/types.ts";
import { generateHistory } from "./generate.ts";
import { Recorder, type LeaseEvent, type Operation } from "./history.ts";
import { checkLease, checkLeases } from "./lease-rules.ts";
import { checkBacking, checkConfs } from "./membership-rules.ts";
import { checkRevisions } from "./revision-rules.ts";
import { checkWatches, truthOf, type Change } from "./watch-history.ts";

function rules(violations: readonly string[]): string[] {
  return violations.map((text) => text.slice(0, 2));
}

function history(seed: number): Operation[] {
  const operations = 500;
  return generateHistory(createRandom(seed), {
    ...{ operations, processes: 8, keys: 5, lostPerMille: 30, isSerializableUsed: true },
  });
}

test("G4: revisions of a correct store are accepted", () => {
  for (let seed = 1; seed <= 20; seed++) assert.deepEqual(checkRevisions(history(seed)), []);
});

test("G4: a revision that comes twice or goes back is refused", () => {
  const put = (call: number, revision: number): Operation => ({
    ...{ id: call, process: 0, call, returned: call + 1 },
    request: { kind: "put", key: "k", value: "v" },
    response: { kind: "put", revision },
  });
  assert.equal(checkRevisions([put(0, 5), put(0.5, 5)]).length, 1);
  assert.deepEqual(rules(checkRevisions([put(0, 5), put(2, 4)])), ["G4"]);
  assert.deepEqual(rules(checkRevisions([put(0, 5), put(2, 5)])), ["G4", "G4"]);
});

const bounds = { lateMsMax: 500, clockRate: 1 };

function lease(...events: LeaseEvent[]): string[] {
  return rules(checkLease({ id: "7", events }, bounds));
}

test("L1 to L3: a lease that is renewed, abandoned and found gone in time is accepted", () => {
  assert.deepEqual(
    lease(
      { kind: "granted", call: 0, at: 10, ttlMs: 1000 },
      { kind: "renewed", call: 900, at: 950, ttlMs: 1000 },
      { kind: "present", call: 1800, at: 1810 },
      { kind: "missing", call: 2300, at: 2310 },
    ),
    [],
  );
});

test("L1: a lease that ends before its time is refused, unless its owner ended it", () => {
  const granted: LeaseEvent = { kind: "granted", call: 0, at: 10, ttlMs: 1000 };
  const missing: LeaseEvent = { kind: "missing", call: 700, at: 720 };
  assert.deepEqual(lease(granted, missing), ["L1"]);
  assert.deepEqual(lease(granted, { kind: "revoking", call: 500, at: 510 }, missing), []);
});

test("L2: a lease that lives on is refused, unless it may have been renewed", () => {
  const granted: LeaseEvent = { kind: "granted", call: 0, at: 10, ttlMs: 1000 };
  const present: LeaseEvent = { kind: "present", call: 1600, at: 1610 };
  assert.deepEqual(lease(granted, present), ["L2"]);
  assert.deepEqual(lease(granted, { kind: "lost", call: 800, at: 900 }, present), []);
});

test("L3: a lease that was gone is not renewed and not present", () => {
  const granted: LeaseEvent = { kind: "granted", call: 0, at: 10, ttlMs: 1000 };
  const missing: LeaseEvent = { kind: "missing", call: 1200, at: 1210 };
  assert.deepEqual(
    lease(granted, missing, { kind: "renewed", call: 1220, at: 1230, ttlMs: 1000 }),
    ["L3"],
  );
  assert.deepEqual(lease(granted, missing, { kind: "present", call: 1220, at: 1230 }), ["L3"]);
});

function conf(voters: bigint[], more: Partial<ConfState> = {}): ConfState {
  const none = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  return { voters, ...none, ...more };
}

test("M1: one voter comes or goes at a time, and all members agree", () => {
  const first = conf([1n, 2n, 3n]);
  const add = { member: "a", index: 5, conf: conf([1n, 2n, 3n], { learners: [4n] }) };
  const promote = { member: "a", index: 7, conf: conf([1n, 2n, 3n, 4n]) };
  assert.deepEqual(checkConfs([add, promote, { ...promote, member: "b" }], first), []);
  assert.equal(checkConfs([{ ...promote, conf: conf([1n, 2n, 4n]) }], first).length, 1);
  assert.equal(checkConfs([promote, { ...add, index: 7 }], first).length, 1);
});

test("M1: learners and removed members count for nothing", () => {
  const three = conf([1n, 2n, 3n], { learners: [4n] });
  assert.deepEqual(checkBacking({ what: "vote", by: [1n, 2n], conf: three }), []);
  assert.equal(checkBacking({ what: "vote", by: [1n, 4n, 5n], conf: three }).length, 1);
  const joint = { ...three, votersOutgoing: [7n, 8n, 9n] };
  assert.equal(checkBacking({ what: "vote", by: [1n, 2n, 7n], conf: joint }).length, 1);
});

test("W1 to W7: every watch of a history is judged against the changes", () => {
  const changes: Change[] = [2, 3, 4].map((revision) => ({
    ...{ revision, kv: { key: "k", value: `v${revision}` }, isDelete: false },
  }));
  const seen = truthOf(changes).map((event) => ({ ...event, prev: undefined }));
  assert.equal(truthOf(changes)[2]!.prev, "v3");
  const recorder = new Recorder();
  const good = recorder.watch(watchOf("good"));
  const gap = recorder.watch(watchOf("gap"));
  for (const responses of [good, gap]) responses.push({ kind: "created", revision: 1 });
  good.push({ kind: "events", revision: 4, events: seen, fragment: false });
  gap.push({ kind: "events", revision: 4, events: [seen[0]!, seen[2]!], fragment: false });
  const end = { compactRevision: -1, settledRevision: 4 };
  const violations = checkWatches(recorder.watches, changes, end);
  assert.ok(violations.length > 0 && violations.every((text) => text.startsWith("gap")));
});

function watchOf(name: string): Parameters<Recorder["watch"]>[0] {
  const plain = { noPut: false, noDelete: false, prevKv: false, fragment: false };
  return { name, start: "k", end: undefined, startRevision: 2, ...plain };
}

test("a recorder keeps results apart: answered, unknown, refused", () => {
  const recorder = new Recorder();
  const get = { kind: "range", key: "k" } as const;
  const [a, b, c] = [1, 2, 3].map((process) => recorder.begin(process, get, process)) as [
    number,
    number,
    number,
  ];
  recorder.end(a, { kind: "range", revision: 1, kvs: [] }, 5);
  recorder.refused(b);
  assert.deepEqual(
    recorder.possible().map((o) => [o.id, o.returned]),
    [
      [a, 5],
      [c, Infinity],
    ],
  );
  recorder.lease("9", { kind: "granted", call: 0, at: 1, ttlMs: 1000 });
  recorder.lease("9", { kind: "missing", call: 2, at: 3 });
  assert.deepEqual(rules(checkLeases(recorder.leases, bounds)), ["L1"]);
});
