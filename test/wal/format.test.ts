import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeChecksum } from "../../src/io/node-checksum.ts";
import type { Entry } from "../../src/raft/types.ts";
import { decodeEntries, encodeFrame, entryBytes } from "../../src/server/wal/format.ts";
import { frameBytes, readFrame, sectorBytes } from "../../src/server/wal/format.ts";
import { entry, hardState, plain } from "./harness.ts";

const context = { nonce: 0x1234abcd, paddingBytes: 512, checksum: nodeChecksum };

function encode(sequence: number, entries: Entry[], paddingBytes = 512): Uint8Array<ArrayBuffer> {
  const payload = entries.reduce((sum, e) => sum + entryBytes(e), 0);
  const bytes = new Uint8Array(frameBytes(payload, paddingBytes)).fill(0xee);
  const firstIndex = entries[0]?.index ?? 1;
  const content = { sequence, chain: 77, hardState: hardState(3, 2), firstIndex, entries };
  encodeFrame(bytes, content, { ...context, paddingBytes });
  return bytes;
}

test("a frame gives back what was put into it, at every size around sector edges", () => {
  const sizes = fc.array(fc.oneof(fc.nat(1300), fc.integer({ min: 400, max: 520 })), {
    maxLength: 6,
  });
  const property = fc.property(sizes, fc.integer({ min: 1, max: 2 ** 50 }), (lengths, sequence) => {
    const entries = lengths.map((length, i) => entry(2 ** 33 + i, 4, length));
    const bytes = encode(sequence, entries);
    const read = readFrame(bytes, 0, sequence, context);
    assert.equal(read.kind, "frame");
    if (read.kind !== "frame") return;
    assert.equal(read.bytes, bytes.length);
    assert.deepEqual(read.header.hardState, hardState(3, 2));
    assert.equal(read.header.chain, 77);
    assert.deepEqual(plain(decodeEntries(bytes, 0, read.header, 0)), plain(entries));
  });
  fc.assert(property, { numRuns: 300 });
});

test("every length from 0 to 1100 bytes survives", () => {
  for (let length = 0; length <= 1100; length++) {
    const entries = [entry(9, 1, length)];
    const bytes = encode(5, entries);
    const read = readFrame(bytes, 0, 5, context);
    assert.ok(read.kind === "frame", `length ${length}: ${read.kind}`);
    assert.deepEqual(plain(decodeEntries(bytes, 0, read.header, 0)), plain(entries));
  }
});

test("every set of sectors that were not written is told as an unfinished write", () => {
  const old = encode(4, [entry(1, 1, 3500)]);
  const frame = encode(5, [entry(9, 1, 3500)]);
  const sectors = frame.length / sectorBytes;
  assert.equal(sectors, 8);
  for (const before of [new Uint8Array(frame.length), old]) {
    for (let kept = 0; kept < 1 << sectors; kept++) {
      const bytes = before.slice();
      for (let s = 0; s < sectors; s++) {
        if ((kept & (1 << s)) === 0) continue;
        bytes.set(frame.subarray(s * sectorBytes, (s + 1) * sectorBytes), s * sectorBytes);
      }
      const kind: string = readFrame(bytes, 0, 5, context).kind;
      const isAll: boolean = kept === (1 << sectors) - 1;
      const expected: string = isAll ? "frame" : (kept & 1) === 1 ? "torn" : "none";
      assert.equal(kind, expected, `sectors ${kept.toString(2)}`);
    }
  }
});

test("a damaged byte of a whole frame is told as damage, never as an unfinished write", () => {
  const frame = encode(5, [entry(9, 1, 300), entry(10, 1, 1200)]);
  for (let at = 0; at < frame.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = frame.slice();
      bytes[at]! ^= flip;
      const read = readFrame(bytes, 0, 5, context);
      if (read.kind === "frame") {
        // Only the padding behind the payload is not covered.
        assert.deepEqual(
          plain(decodeEntries(bytes, 0, read.header, 0)),
          plain([entry(9, 1, 300), entry(10, 1, 1200)]),
        );
      } else assert.equal(read.kind, "damaged", `byte ${at}`);
    }
  }
});

test("a frame with another random number of the log is no frame", () => {
  const frame = encode(5, [entry(9, 1, 30)]);
  assert.equal(readFrame(frame, 0, 5, { ...context, nonce: 1 }).kind, "none");
});
