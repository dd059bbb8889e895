import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { FakeCaller } from "../../../test/client/fake-caller.ts";
import { PutResponseSchema, RangeResponseSchema, TxnResponseSchema } from "../../gen/rpc_pb.js";
import { InvalidInputError } from "../input.ts";
import { KvArea } from "../kv.ts";
import { op } from "../op.ts";
import { OrderingKv, StaleReadError } from "./ordering.ts";

/** Answers any call with these revisions, one after the other. */
function answering(...revisions: number[]): FakeCaller {
  const left = [...revisions];
  return new FakeCaller(({ path }) => {
    const header = { revision: BigInt(left.shift() ?? 0) };
    if (path.endsWith("Put"))
      return toBinary(PutResponseSchema, create(PutResponseSchema, { header }));
    if (path.endsWith("Txn"))
      return toBinary(TxnResponseSchema, create(TxnResponseSchema, { header }));
    return toBinary(RangeResponseSchema, create(RangeResponseSchema, { header }));
  });
}

test("a read that is behind is repeated until it is not", async () => {
  const caller = answering(7, 5, 6, 9, 9);
  const behind: [number, number][] = [];
  const kv = new OrderingKv(new KvArea(caller), {
    onViolation: (revision, seen) => void behind.push([revision, seen]),
  });
  assert.equal((await kv.get("a", { serializable: true })).header.revision, 7);
  assert.equal((await kv.get("a", { serializable: true })).header.revision, 9);
  assert.deepEqual(behind, [
    [5, 7],
    [6, 7],
  ]);
  assert.equal((await kv.do(op.get("a"))).header.revision, 9);
  assert.equal(kv.seenRevision, 9);
});

test("a write raises what reads must reach, and is never repeated itself", async () => {
  const caller = answering(7, 6, 7, 3);
  const kv = new OrderingKv(new KvArea(caller));
  await kv.put("a", "1");
  assert.equal((await kv.do(op.txn([], [op.get("a")]))).header.revision, 7);
  const write = await kv.txn().then(op.put("a", "2")).commit();
  assert.equal(write.header.revision, 3);
  assert.equal(caller.calls.length, 4);
});

test("when no member is new enough the read fails after its tries", async () => {
  const caller = answering(7, 1, 2, 3);
  const kv = new OrderingKv(new KvArea(caller), { tries: 3 });
  await kv.put("a", "1");
  await assert.rejects(kv.get("a"), (error) => {
    assert.ok(error instanceof StaleReadError);
    assert.equal(error.seenRevision, 7);
    assert.equal(error.retryable, true);
    return true;
  });
  assert.equal(caller.calls.length, 4);
});

test("what cannot be kept in order is refused", () => {
  const kv = new KvArea(answering());
  assert.throws(() => new OrderingKv(kv).stream("a", { serializable: true }), InvalidInputError);
  assert.throws(() => new OrderingKv(kv, { tries: 0 }), InvalidInputError);
});
