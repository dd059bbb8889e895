import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinaryString } from "../../base/bytes.ts";
import { encodeRevision, isTombstoneKey, revisionMain, revisionSub } from "./revision.ts";

test("revision keys are etcd's bytes and read back", () => {
  const key = encodeRevision(0x0102_0304_0506, 7, true);
  assert.equal(toBinaryString(key), "\0\0\x01\x02\x03\x04\x05\x06_\0\0\0\0\0\0\0\x07t");
  assert.deepEqual([revisionMain(key), revisionSub(key)], [0x0102_0304_0506, 7]);
  assert.equal(isTombstoneKey(key), true);
  assert.equal(isTombstoneKey(encodeRevision(1, 0, false)), false);
});

test("malformed revision keys are found out", () => {
  assert.throws(() => revisionMain(new Uint8Array(17)));
  assert.throws(() => revisionMain(new Uint8Array(3)));
});
