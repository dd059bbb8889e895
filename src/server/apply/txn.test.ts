import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { ApplyRig } from "../../../test/apply/rig.ts";
import { utf8 } from "../../base/bytes.ts";
import {
  errCompacted,
  errFutureRev,
  errKeyNotFound,
  errLeaseNotFound,
} from "../../base/etcd-errors.ts";
import type { CompareSchema, RequestOpSchema, TxnResponse } from "../../gen/rpc_pb.js";
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  TxnResponseSchema,
} from "../../gen/rpc_pb.js";

type CompareInit = MessageInitShape<typeof CompareSchema>;
type OpInit = MessageInitShape<typeof RequestOpSchema>;

const { EQUAL, GREATER, LESS, NOT_EQUAL } = Result;

const put = (key: string, value: string): OpInit => ({
  request: { case: "requestPut", value: { key: utf8(key), value: utf8(value) } },
});
const get = (key: string, revision = 0n): OpInit => ({
  request: { case: "requestRange", value: { key: utf8(key), revision } },
});
const remove = (key: string): OpInit => ({
  request: { case: "requestDeleteRange", value: { key: utf8(key) } },
});
const nested = (compare: CompareInit[], success: OpInit[], failure: OpInit[] = []): OpInit => ({
  request: { case: "requestTxn", value: { compare, success, failure } },
});
const valueIs = (key: string, value: string, rangeEnd = ""): CompareInit => ({
  ...{ key: utf8(key), rangeEnd: utf8(rangeEnd), target: Target.VALUE, result: EQUAL },
  targetUnion: { case: "value", value: utf8(value) },
});

/** Runs compares alone and tells whether all held. */
function holds(rig: ApplyRig, ...compare: CompareInit[]): boolean {
  return fromBinary(TxnResponseSchema, rig.run({ txn: { compare } }).body).succeeded;
}

function response(rig: ApplyRig, compare: CompareInit[], success: OpInit[]): TxnResponse {
  const { error, body } = rig.run({ txn: { compare, success } });
  assert.equal(error, null);
  return fromBinary(TxnResponseSchema, body);
}

test("compares read version, revisions, value and lease", () => {
  const rig = new ApplyRig();
  rig.run({ leaseGrant: { ID: 5n, TTL: 60n } });
  rig.put("a", "1");
  rig.put("a", "2", { lease: 5n });
  const key = utf8("a");
  const values = [
    [Target.VERSION, "version", 2n],
    [Target.CREATE, "createRevision", 2n],
    [Target.MOD, "modRevision", 3n],
    [Target.LEASE, "lease", 5n],
  ] as const;
  for (const [target, member, value] of values) {
    const against = (result: Result, operand: bigint): boolean =>
      holds(rig, { key, target, result, targetUnion: { case: member, value: operand } });
    assert.deepEqual(
      [EQUAL, NOT_EQUAL, GREATER, LESS].map((r) => against(r, value)),
      [true, false, false, false],
    );
    assert.deepEqual(
      [EQUAL, NOT_EQUAL, GREATER, LESS].map((r) => against(r, value - 1n)),
      [false, true, true, false],
    );
  }
  assert.equal(holds(rig, valueIs("a", "2")), true);
  assert.equal(holds(rig, { ...valueIs("a", "10"), result: GREATER }), true); // bytewise
  assert.equal(holds(rig, valueIs("a", "2"), valueIs("a", "1")), false); // all must hold
});

test("a missing key compares as zero, its value as nothing at all", () => {
  const rig = new ApplyRig();
  const key = utf8("missing");
  for (const [target, member] of [
    [Target.VERSION, "version"],
    [Target.CREATE, "createRevision"],
    [Target.MOD, "modRevision"],
    [Target.LEASE, "lease"],
  ] as const) {
    const against = (result: Result, value: bigint): boolean =>
      holds(rig, { key, target, result, targetUnion: { case: member, value } });
    assert.deepEqual(
      [against(EQUAL, 0n), against(LESS, 1n), against(EQUAL, 1n)],
      [true, true, false],
    );
  }
  for (const result of [EQUAL, NOT_EQUAL, GREATER, LESS]) {
    assert.equal(holds(rig, { ...valueIs("missing", ""), result }), false);
  }
});

test("an unknown operator holds; an unknown target is equal; a foreign operand counts as zero", () => {
  const rig = new ApplyRig();
  rig.put("a", "1");
  const key = utf8("a");
  assert.equal(holds(rig, { ...valueIs("a", "9"), result: 77 as never }), true);
  const strange: CompareInit = { key, target: 77 as never };
  assert.equal(holds(rig, { ...strange, result: EQUAL }), true);
  assert.equal(holds(rig, { ...strange, result: GREATER }), false);
  const foreign: CompareInit = { key, targetUnion: { case: "modRevision", value: 1n } };
  assert.equal(holds(rig, { ...foreign, target: Target.VERSION, result: EQUAL }), false);
  assert.equal(holds(rig, { ...foreign, target: Target.VERSION, result: GREATER }), true);
});

test("a range compare holds for every key, and for an empty range as for a missing key", () => {
  const rig = new ApplyRig();
  for (const key of ["a1", "a2"]) rig.put(key, "x");
  rig.put("b", "y");
  assert.equal(holds(rig, valueIs("a", "x", "b")), true);
  assert.equal(holds(rig, valueIs("a", "x", "c")), false);
  assert.equal(holds(rig, valueIs("a", "x", "\0")), false); // from "a" on
  assert.equal(holds(rig, valueIs("c", "", "d")), false);
  const fresh: CompareInit = {
    ...{ key: utf8("c"), rangeEnd: utf8("d"), target: Target.CREATE, result: EQUAL },
    targetUnion: { case: "createRevision", value: 0n },
  };
  assert.equal(holds(rig, fresh), true);
});

test("nested compares see the state before the transaction", () => {
  const rig = new ApplyRig();
  rig.put("a", "old");
  response(
    rig,
    [valueIs("a", "old")],
    [put("a", "new"), nested([valueIs("a", "old")], [put("b", "saw old")], [put("b", "saw new")])],
  );
  assert.equal(rig.value("b"), "saw old");
});

test("operations see earlier writes, share one revision and show it from the first write on", () => {
  const rig = new ApplyRig();
  rig.put("a", "1");
  const { responses } = response(
    rig,
    [],
    [get("a"), put("a", "2"), get("a"), remove("a"), nested([], [get("a")])],
  );
  const seen = responses.map(({ response: r }) => {
    if (r.case === "responseTxn") return [r.value.header?.revision, r.value.responses.length];
    const count = r.case === "responseRange" ? r.value.count : null;
    return [r.value?.header?.revision, count];
  });
  assert.deepEqual(seen, [
    [2n, 1n],
    [3n, null],
    [3n, 1n],
    [3n, null],
    [0n, 1], // the header of a nested answer is there and empty
  ]);
  assert.equal(rig.store.currentRevision, 3);
});

test("a transaction that writes nothing leaves the revision", () => {
  const rig = new ApplyRig();
  rig.put("a", "1");
  assert.equal(rig.run({ txn: { success: [remove("missing"), get("a")] } }).revision, 2);
});

test("a refused operation on the taken path undoes nothing, because nothing was done", () => {
  const rig = new ApplyRig();
  rig.put("a", "1");
  const leased: OpInit = {
    request: { case: "requestPut", value: { key: utf8("b"), lease: 9n, ignoreValue: true } },
  };
  const kept: OpInit = {
    request: { case: "requestPut", value: { key: utf8("b"), ignoreValue: true } },
  };
  const cases = [
    [leased, errLeaseNotFound],
    [kept, errKeyNotFound],
    [get("a", 99n), errFutureRev],
    [nested([], [get("a", 99n)]), errFutureRev],
  ] as const;
  for (const [bad, error] of cases) {
    const outcome = rig.run({ txn: { success: [put("a", "2"), bad] } });
    assert.deepEqual([outcome.error, outcome.revision], [error.message, 2]);
    // On the path that is not taken it does no harm.
    assert.equal(rig.run({ txn: { success: [get("a")], failure: [bad] } }).error, null);
  }
  assert.equal(rig.value("a"), "1");
});

test("a read below the compact revision refuses the transaction", () => {
  const rig = new ApplyRig();
  for (const value of ["1", "2", "3"]) rig.put("a", value);
  rig.run({ compaction: { revision: 3n } });
  assert.equal(rig.run({ txn: { success: [get("a", 2n)] } }).error, errCompacted.message);
  assert.equal(rig.run({ txn: { success: [get("a", 3n)] } }).error, null);
});

test("a transaction has the same effect where nobody waits for its answer", () => {
  const [here, there] = [new ApplyRig(), new ApplyRig()];
  const txn = {
    compare: [valueIs("a", "1")],
    success: [get("a"), put("b", "yes"), nested([], [remove("a"), put("c", "in")])],
    failure: [put("b", "no")],
  };
  for (const rig of [here, there]) rig.put("a", "1");
  here.run({ txn });
  there.entry({ txn }, 0n);
  for (const key of ["a", "b", "c"]) assert.equal(here.value(key), there.value(key));
  assert.equal(here.value("b"), "yes");
  assert.equal(here.store.currentRevision, there.store.currentRevision);
});
