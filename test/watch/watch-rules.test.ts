import assert from "node:assert/strict";
import { test } from "node:test";
import { checkWatch } from "../model/watch-rules.ts";
import type { SeenEvent, SeenResponse, Truth, WatchRecord } from "../model/watch-rules.ts";

const truth: Truth = {
  events: [2, 3, 4].flatMap((revision) => [
    { revision, key: "a", isDelete: false, value: `${revision}`, prev: `${revision - 1}` },
    { revision, key: "b", isDelete: false, value: `${revision}`, prev: null },
  ]),
  compactRevision: -1,
  settledRevision: 4,
};
const event = (key: string, revision: number, more: Partial<SeenEvent> = {}): SeenEvent => ({
  ...{ revision, key, isDelete: false, value: `${revision}`, prev: undefined },
  ...more,
});
const created: SeenResponse = { kind: "created", revision: 1 };
const events = (...list: SeenEvent[]): SeenResponse => ({
  ...{ kind: "events", revision: 4, fragment: false },
  events: list,
});
const both = (revision: number) => [event("a", revision), event("b", revision)];

function check(responses: SeenResponse[], more: Partial<WatchRecord> = {}): string[] {
  const kind = { start: "a", end: null, startRevision: 0, noPut: false, noDelete: false };
  const watch = { ...kind, name: "w", prevKv: false, fragment: false, ...more, responses };
  return checkWatch(truth, watch);
}

test("the checker accepts a right history", () => {
  assert.deepEqual(check([created, events(...both(2), ...both(3)), events(...both(4))]), []);
  const prev = [2, 3, 4].map((revision) => event("a", revision, { prev: `${revision - 1}` }));
  assert.deepEqual(check([created, events(...prev)], { end: undefined, prevKv: true }), []);
});

test("the checker finds each planted fault", () => {
  const rest = events(...both(3), ...both(4));
  const planted: Record<string, [SeenResponse[], RegExp, Partial<WatchRecord>?]> = {
    gap: [[created, events(...both(3), ...both(4))], /W3/],
    end: [[created, events(...both(2))], /W3: a@3 missing/],
    repeat: [[created, events(...both(2)), events(...both(2)), rest], /W2/],
    order: [[created, events(event("b", 2), event("a", 2)), rest], /W1/],
    split: [[created, events(event("a", 2)), events(event("b", 2), ...both(3), ...both(4))], /W4/],
    early: [[created, { kind: "progress", revision: 4 }, events(...both(2)), rest], /W6/],
    value: [[created, events(event("a", 2, { value: "x" }), event("b", 2)), rest], /W7/],
    prev: [[created, events(event("a", 2))], /lacks prev_kv/, { end: undefined, prevKv: true }],
    filter: [[created, events(...both(2))], /W2\/W7/, { noPut: true }],
    compacted: [[created, { kind: "compacted", compactRevision: 9 }], /made up/],
    uncreated: [[events(...both(2))], /before created/],
    after: [[created, { kind: "canceled", revision: 1 }, events(...both(2))], /after the end/],
  };
  for (const [name, [responses, fault, more]] of Object.entries(planted)) {
    assert.match(check(responses, more).join("; "), fault, name);
  }
});
