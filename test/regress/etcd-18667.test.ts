import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/base/bytes.ts";
import { ApplyRig, type Request } from "../apply/rig.ts";

const op = (
  kind: "requestRange" | "requestPut" | "requestTxn",
  value: object,
): { readonly request: { readonly case: typeof kind; readonly value: object } } => ({
  request: { case: kind, value },
});
const put = (key: string) => op("requestPut", { key: utf8(key), value: utf8("v") });
const rangeAt = (revision: bigint) => op("requestRange", { key: utf8("k"), revision });
const txn = (...success: object[]): Request => ({ txn: { success } });

// Seen to fail when checkPath() in src/server/apply/txn.ts looks at ranges only where an answer is
// wanted: the members without a waiter run the transaction that the other refuses.
test("etcd 18667 (row 11): a transaction is refused on all members or on none", () => {
  const asked = new ApplyRig(); // the member that the client asked
  const others = [new ApplyRig(), new ApplyRig()];
  const write = (request: Request): string | null => {
    const { error } = asked.run(request);
    for (const other of others) other.entry(request, 99n << 48n);
    return error;
  };
  for (let i = 0; i < 5; i++) write({ put: { key: utf8("k"), value: utf8(String(i)) } });
  write({ compaction: { revision: 4n } });
  const compacted = "etcdserver: mvcc: required revision has been compacted";
  const future = "etcdserver: mvcc: required revision is a future revision";
  assert.equal(write(txn(put("a"), rangeAt(2n))), compacted);
  assert.equal(write(txn(rangeAt(100n), put("b"))), future);
  assert.equal(write(txn(put("c"), op("requestTxn", { success: [rangeAt(3n)] }))), compacted);
  assert.equal(write(txn(put("d"), rangeAt(4n))), null);
  for (const rig of [asked, ...others]) {
    assert.equal(rig.store.currentRevision, 7);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => rig.value(key)),
      [null, null, null, "v"],
    );
  }
});
