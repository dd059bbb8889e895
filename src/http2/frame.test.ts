import { test } from "node:test";
import assert from "node:assert/strict";
import {
  copyInto,
  endHeaderBlock,
  frameFlag,
  frameHeaderBytes,
  frameType,
  OutputBuffer,
  readU32,
  writeGoAway,
  writePing,
  writeRstStream,
  writeSettings,
  writeWindowUpdate,
} from "./frame.ts";

const written = (write: (out: OutputBuffer) => void): number[] => {
  const out = new OutputBuffer(1);
  write(out);
  return [...out.bytes.subarray(0, out.length)];
};

test("frames have the bytes of RFC 9113 section 6", () => {
  assert.deepEqual(
    written((out) => {
      writeSettings(out, [[3, 100]]);
    }),
    [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100],
  );
  assert.deepEqual(
    written((out) => {
      writePing(out, true, new Uint8Array([9, 1, 2, 3, 4, 5, 6, 7, 8]), 1);
    }),
    [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.deepEqual(
    written((out) => {
      writeRstStream(out, 0x01020304, 8);
    }),
    [0, 0, 4, 3, 0, 1, 2, 3, 4, 0, 0, 0, 8],
  );
  assert.deepEqual(
    written((out) => {
      writeWindowUpdate(out, 5, 0x7fffffff);
    }),
    [0, 0, 4, 8, 0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff],
  );
  assert.deepEqual(
    written((out) => {
      writeGoAway(out, 7, 11, "no");
    }),
    [0, 0, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 11, 110, 111],
  );
});

test("a header block longer than a frame goes on in CONTINUATION", () => {
  const out = new OutputBuffer(8);
  out.reserve(frameHeaderBytes);
  out.length = frameHeaderBytes;
  for (let i = 0; i < 25; i++) out.byte(i);
  endHeaderBlock(out, 0, 3, true, 10);
  const frames: [type: number, flags: number, bytes: number[]][] = [];
  for (let at = 0; at < out.length;) {
    const length = out.bytes[at + 2]!;
    assert.equal(readU32(out.bytes, at + 5), 3);
    const body = out.bytes.slice(at + 9, at + 9 + length);
    frames.push([out.bytes[at + 3]!, out.bytes[at + 4]!, [...body]]);
    at += 9 + length;
  }
  const upTo = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  assert.deepEqual(frames, [
    [frameType.headers, frameFlag.endStream, upTo(0, 10)],
    [frameType.continuation, 0, upTo(10, 20)],
    [frameType.continuation, frameFlag.endHeaders, upTo(20, 25)],
  ]);
});

test("copies of any length are exact", () => {
  const source = Uint8Array.from({ length: 200 }, (_, i) => i);
  for (let length = 0; length <= 200; length += 7) {
    const target = new Uint8Array(210);
    copyInto(target, 5, source, 0, length);
    assert.deepEqual(target.slice(5, 5 + length), source.slice(0, length));
    assert.equal(target[5 + length], 0);
  }
});
