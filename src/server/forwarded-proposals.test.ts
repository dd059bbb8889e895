import assert from "node:assert/strict";
import { test } from "node:test";
import { createMessage, MessageType, type Message } from "../raft/message.ts";
import { EntryType } from "../raft/types.ts";
import { ForwardedProposals } from "./forwarded-proposals.ts";

const mib = 1024 * 1024;

function message(from: bigint, bytes = 1): Message {
  const entries = [{ type: EntryType.normal, term: 0, index: 0, data: new Uint8Array(bytes) }];
  return createMessage({ type: MessageType.propose, from, to: 1n, entries });
}

function senders(held: ForwardedProposals): bigint[] {
  return held.take().map(({ from }) => from);
}

test("what is held comes out once, in order", () => {
  const held = new ForwardedProposals();
  held.hold(message(2n), 0);
  held.hold(message(3n), 1);
  assert.deepEqual(senders(held), [2n, 3n]);
  assert.deepEqual(senders(held), []);
});

test("what is held too long is dropped, and makes room", () => {
  const held = new ForwardedProposals();
  held.hold(message(2n, 10 * mib), 0);
  held.hold(message(3n, 6 * mib), 500);
  held.expire(0);
  held.hold(message(4n, 10 * mib), 1000);
  assert.deepEqual(senders(held), [3n, 4n]);
});

test("what is held is bounded in number and bytes; one message always fits", () => {
  const held = new ForwardedProposals();
  held.hold(message(2n, 20 * mib), 0);
  held.hold(message(3n), 0);
  assert.deepEqual(senders(held), [2n]);
  for (let n = 0; n < 5000; n++) held.hold(message(2n), 0);
  assert.equal(senders(held).length, 4096);
});
