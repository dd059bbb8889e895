import assert from "node:assert/strict";
import { test } from "node:test";
import { Writer } from "../../codec/writer.ts";
import type { Message } from "../../raft/message.ts";
import { FrameError } from "./frame-error.ts";
import {
  isLinkHeartbeat,
  linkHeartbeat,
  MessageDecoder,
  writeMessageFrame,
  writeMessageHeartbeat,
} from "./message-frames.ts";

const limits = { messageBytesMax: 1_000 };
const vote: Message = { ...linkHeartbeat, type: 5, from: 1n, to: 2n, term: 3, index: 4 };

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

test("a frame is the message's length in eight bytes and the message", () => {
  const out = new Writer();
  writeMessageFrame(out, vote);
  const message = "0805100218012003280030044000500058 00".replace(" ", "");
  assert.equal(hexOf(out.view()), `0000000000000012${message}`);
});

test("an idle stream's frame is the heartbeat type alone, as Go etcd writes it", () => {
  const out = new Writer();
  writeMessageHeartbeat(out);
  assert.equal(hexOf(out.view()), "00000000000000020808");
  const decoder = new MessageDecoder(limits);
  decoder.push(out.copy());
  assert.equal(isLinkHeartbeat(decoder.next()!), true);
  assert.equal(isLinkHeartbeat({ ...vote, type: 8 }), false);
});

test("messages come out whole however their bytes are cut", () => {
  const out = new Writer();
  const sent = [vote, { ...vote, term: 9 }, { ...vote, context: new Uint8Array(300) }];
  for (const message of sent) writeMessageFrame(out, message);
  for (const size of [1, 2, 7, 8, 9, 64, out.length]) {
    const decoder = new MessageDecoder(limits);
    const got: Message[] = [];
    for (let at = 0; at < out.length; at += size) {
      decoder.push(out.bytes.slice(at, Math.min(at + size, out.length)));
      for (let m = decoder.next(); m !== null; m = decoder.next()) got.push(m);
    }
    assert.deepEqual(got, sent);
    assert.equal(decoder.waitingBytes, 0);
  }
});

test("a length beyond the bound ends the stream before a byte is waited for", () => {
  for (const length of ["00000000000003e9", "ffffffffffffffff", "0000000100000000"]) {
    const decoder = new MessageDecoder(limits);
    decoder.push(Uint8Array.from(Buffer.from(length, "hex")));
    assert.throws(() => decoder.next(), { message: "rafthttp: error limit exceeded" });
  }
});

test("bytes that are no message end the stream", () => {
  const decoder = new MessageDecoder(limits);
  decoder.push(Uint8Array.from(Buffer.from("0000000000000002ffff", "hex")));
  assert.throws(() => decoder.next(), FrameError);
});
