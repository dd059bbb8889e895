import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../base/bytes.ts";
import { decodeInternalRequest } from "./internal.ts";
import { decodePutRequest } from "./kv.ts";
import { decodeClusterVersionSet } from "./membership.ts";
import { DecodeError, nestingMax, Reader } from "./reader.ts";
import { decodeTxnRequest } from "./txn.ts";
import { decodeWatchRequest } from "./watch.ts";
import { Writer } from "./writer.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(
    text.split(" ").filter((b) => b !== ""),
    (b) => Number.parseInt(b, 16),
  );
const refused = (run: () => unknown): void => {
  assert.throws(run, DecodeError);
};

/** A reader whose first tag, of a varint field, was read. */
function atValue(value: string): Reader {
  const r = new Reader(concat([hex("08"), hex(value)]));
  r.next();
  return r;
}

test("int64 edges are exact as ids, and rounded as numbers beyond 2^53", () => {
  const edges: readonly (readonly [string, bigint])[] = [
    ["ff ff ff ff ff ff ff ff 7f", 2n ** 63n - 1n],
    ["80 80 80 80 80 80 80 80 80 01", -(2n ** 63n)],
    ["ff ff ff ff ff ff ff ff ff 01", -1n],
    ["ff ff ff ff ff ff ff 0f", 2n ** 53n - 1n],
    ["80 80 80 80 80 80 80 10", 2n ** 53n],
    ["81 80 80 80 80 80 80 10", 2n ** 53n + 1n],
    ["80 80 80 80 10", 2n ** 32n],
    ["ff ff ff ff 0f", 2n ** 32n - 1n],
  ];
  for (const [bytes, value] of edges) {
    assert.equal(atValue(bytes).bigInt64(), value);
    assert.equal(atValue(bytes).bigUint64(), BigInt.asUintN(64, value));
    assert.equal(atValue(bytes).int64(), Number(value));
    assert.equal(atValue(bytes).uint64(), Number(BigInt.asUintN(64, value)));
    const split = atValue(bytes);
    split.readSplit64();
    const { high16, low48 } = split;
    assert.equal((BigInt(high16) << 48n) | BigInt(low48), BigInt.asUintN(64, value));
    const out = new Writer(1);
    out.bigVarint(value);
    assert.deepEqual(out.copy(), hex(bytes));
  }
});

test("a varint ends within ten bytes and 64 bits", () => {
  assert.equal(atValue("81 80 80 80 80 80 80 80 80 00").int64(), 1);
  refused(() => atValue("ff ff ff ff ff ff ff ff ff 02").int64());
  refused(() => atValue("80 80 80 80 80 80 80 80 80 80 00").int64());
  refused(() => atValue("80").int64());
  refused(() => atValue("").int64());
});

test("field numbers run from 1 to 2^29-1", () => {
  assert.equal(new Reader(hex("f8 ff ff ff 0f 00")).next(), true);
  refused(() => new Reader(hex("80 80 80 80 10 00")).next());
  refused(() => new Reader(hex("00 00")).next());
});

test("groups are passed over as a whole, and must be closed by their own end", () => {
  const skip = (bytes: string): Reader => {
    const r = new Reader(hex(bytes));
    while (r.next()) r.skip();
    return r;
  };
  assert.equal(skip("0b 10 01 1b 1c 25 00 00 00 00 0c").isAtEnd, true);
  for (const bad of ["0b", "0b 14", "0c", "0b 1b 0c 1c", "0e", "0f", "0b 06 0c"]) {
    refused(() => skip(bad));
  }
});

test("nesting is bounded, for groups and for transactions", () => {
  refused(() => {
    const r = new Reader(new Uint8Array(3 * nestingMax).fill(0x0b));
    r.next();
    r.skip();
  });
  const nested = (depth: number): Uint8Array => {
    const out = new Writer();
    const marks: number[] = [];
    for (let i = 0; i < depth; i++) marks.push(out.beginNested(0x12), out.beginNested(0x22));
    for (const mark of marks.reverse()) out.endNested(mark);
    return out.copy();
  };
  assert.equal(decodeTxnRequest(nested(nestingMax)).canonical, true);
  refused(() => decodeTxnRequest(nested(nestingMax + 1)));
});

test("a string must be UTF-8; a byte order mark stays part of it", () => {
  const version = (bytes: Uint8Array): string =>
    decodeClusterVersionSet(concat([hex("0a"), Uint8Array.of(bytes.length), bytes]));
  assert.equal(version(utf8("\uFEFF3.7.0\u0000é\u{1F600}")), "\uFEFF3.7.0\u0000é\u{1F600}");
  // A lone byte, an overlong form, half a surrogate pair, beyond the last code point, cut short.
  for (const bad of ["ff", "c0 80", "ed a0 80", "f4 90 80 80", "e2 82"]) {
    assert.throws(() => version(hex(bad)), {
      name: "DecodeError",
      message: "string field contains invalid UTF-8",
    });
  }
});

test("a union's member that another one replaces must still be well-formed", () => {
  const put = hex("12 02 20 01");
  const brokenRange = hex("0a 02 0a 05");
  const op = (bytes: Uint8Array): Uint8Array =>
    concat([hex("12"), Uint8Array.of(bytes.length), bytes]);
  assert.equal(decodeTxnRequest(op(put)).success[0]?.kind, "put");
  refused(() => decodeTxnRequest(op(concat([brokenRange, put]))));
  refused(() => decodeWatchRequest(hex("0a 02 0a 05 12 02 08 01")));
});

test("halves of a split member are read one by one, so a cut inside a field is refused", () => {
  // PutRequest{key: "abc"} over two members: field by field is fine, through a field is not.
  const txn = (first: string, second: string): Uint8Array => hex(`12 0b ${first} ${second}`);
  const put = decodeTxnRequest(txn("12 05 0a 03 61 62 63", "12 02 20 01")).success[0];
  assert.ok(put?.kind === "put" && put.put.prevKv && put.put.key.length === 3);
  refused(() => decodeTxnRequest(txn("12 03 0a 03 61", "12 04 62 63 20 01")));
});

test("many parts of one member are read in time that grows with their number", () => {
  const parts = 200_000;
  const out = new Writer();
  const mark = out.beginNested(0x12);
  for (let i = 0; i < parts; i++) out.raw(hex("12 03 0a 01 61"));
  out.endNested(mark);
  const txn = decodeTxnRequest(out.copy());
  assert.equal(txn.canonical, false);
  assert.equal(txn.success.length, 1);
});

test("decoded bytes are views: nothing is copied", () => {
  const bytes = hex("00 0a 01 61 12 02 62 63 00").subarray(1, 8);
  const put = decodePutRequest(bytes);
  assert.equal(put.value.buffer, bytes.buffer);
  assert.deepEqual([...put.value], [0x62, 0x63]);
});

test("an entry holds exactly one request", () => {
  assert.equal(decodeInternalRequest(hex("22 00")).field, 4);
  refused(() => decodeInternalRequest(hex("")));
  refused(() => decodeInternalRequest(hex("08 01")));
  refused(() => decodeInternalRequest(hex("22 00 2a 00")));
});
