import assert from "node:assert/strict";
import { test } from "node:test";

import type { KvRequest, KvResponse, Operation } from "../../check/history.ts";
import { checkLinearizable } from "../../check/linearizable.ts";
import { checkAcknowledged, leaseKey, resolve, Truth, type TruthEvent } from "./truth.ts";

function put(key: string, value: string, mod: number, create = mod, version = 1): TruthEvent {
  return { kv: { key, value, mod, create, version, lease: "0" }, isDelete: false };
}

function truthOf(...events: TruthEvent[]): Truth {
  const truth = new Truth();
  truth.report("one", events);
  return truth;
}

function operation(call: number, request: KvRequest, response: KvResponse | null): Operation {
  const returned = response === null ? Infinity : call + 1;
  return { id: call, process: call, call, returned, request, response };
}

test("a revision of which two witnesses saw different events is a conflict", () => {
  const truth = truthOf(put("k", "a", 2), put("l", "a", 3));
  truth.report("two", [put("k", "a", 2)]);
  assert.deepEqual(truth.conflicts, []);
  truth.report("two", [put("l", "b", 3)]);
  assert.equal(truth.conflicts.length, 1);
});

test("revisions are contiguous up to the first that nobody saw", () => {
  const truth = truthOf(put("k", "a", 2), put("k", "c", 4, 2, 3));
  assert.equal(truth.contiguous, 2);
  truth.report("two", [put("k", "b", 3, 2, 2)]);
  assert.equal(truth.contiguous, 4);
  assert.deepEqual(
    truth.replay(() => undefined),
    [],
  );
});

test("a version that does not follow from the one before is told", () => {
  const truth = truthOf(put("k", "a", 2), put("k", "b", 3, 2, 1));
  assert.equal(truth.replay(() => undefined).length, 1);
});

test("an acknowledged write that its revision does not have is lost", () => {
  const truth = truthOf(put("k", "a", 2));
  const request = { kind: "put", key: "k", value: "a" } as const;
  const kept = operation(0, request, { kind: "put", revision: 2 });
  const lost = operation(1, { ...request, value: "b" }, { kind: "put", revision: 2 });
  assert.deepEqual(checkAcknowledged([kept], truth), []);
  assert.equal(checkAcknowledged([kept, lost], truth).length, 1);
});

test("a write of unknown result stands where the witnesses saw it, or nowhere", () => {
  const truth = truthOf(put("k", "seen", 2), put("l", "x", 3));
  const unknown = operation(0, { kind: "put", key: "k", value: "seen" }, null);
  const never = operation(1, { kind: "put", key: "k", value: "unseen" }, null);
  const later = operation(2, { kind: "put", key: "l", value: "x" }, { kind: "put", revision: 3 });
  const resolved = resolve([unknown, never, later], truth);
  assert(resolved.includes(unknown));
  assert(!resolved.includes(never));
  assert.equal(checkLinearizable(resolved).result, "ok");
});

test("an orphaned revision that no operation can have made is a violation", () => {
  const truth = truthOf(put("k", "from nowhere", 2));
  const read = operation(
    0,
    { kind: "range", key: "k" },
    { kind: "range", revision: 2, kvs: truth.at(2).map((event) => event.kv) },
  );
  assert.equal(checkLinearizable(resolve([read], truth)).result, "violation");
});

test("the end of a lease may stand where its key was deleted", () => {
  const key = leaseKey("7", 0);
  const kv = { key, value: "v", mod: 2, create: 2, version: 1, lease: "7" };
  const gone = { key, value: "", mod: 3, create: 0, version: 0, lease: "0" };
  const truth = truthOf({ kv, isDelete: false }, { kv: gone, isDelete: true });
  const history = [
    operation(0, { kind: "grant", lease: "7" }, { kind: "grant", revision: 1 }),
    operation(2, { kind: "put", key, value: "v", lease: "7" }, { kind: "put", revision: 2 }),
    operation(4, { kind: "revoke", lease: "7" }, null),
    operation(6, { kind: "range", key }, { kind: "range", revision: 3, kvs: [] }),
  ];
  assert.equal(checkLinearizable(resolve(history, truth)).result, "ok");
});
