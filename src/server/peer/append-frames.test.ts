import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeEntry } from "../../codec/raft.ts";
import { Writer } from "../../codec/writer.ts";
import type { Message } from "../../raft/message.ts";
import type { Entry } from "../../raft/types.ts";
import {
  AppendDecoder,
  AppendEncoder,
  checkEntries,
  SharedEntries,
  writeAppendHeartbeat,
} from "./append-frames.ts";
import { FrameError } from "./frame-error.ts";
import { linkHeartbeat } from "./message-frames.ts";

const [local, remote] = [2n, 1n];
const limits = { messageBytesMax: 10_000, appendEntriesMax: 50 };
const decoderOf = (): AppendDecoder => new AppendDecoder(local, remote, limits);

function entry(index: number, term: number, bytes = 3): Entry {
  return { type: 0, term, index, data: new Uint8Array(bytes).fill(index) };
}

function append(index: number, term: number, entries: readonly Entry[], logTerm = term): Message {
  const head = { ...linkHeartbeat, type: 3, from: remote, to: local };
  return { ...head, term, logTerm, index, entries, commit: index };
}

function encode(messages: readonly Message[], shared = new SharedEntries()): Uint8Array {
  const out = new Writer();
  const encoder = new AppendEncoder(shared);
  for (const message of messages) encoder.write(out, message);
  return out.copy();
}

function decode(bytes: Uint8Array, size = bytes.length): Message[] {
  const decoder = decoderOf();
  const got: Message[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    decoder.push(bytes.slice(at, at + size));
    for (let m = decoder.next(); m !== null; m = decoder.next()) got.push(m);
  }
  return got;
}

test("the first append travels whole, what continues it as entries and commit alone", () => {
  const bytes = encode([append(7, 4, [entry(8, 4)], 3), append(8, 4, [entry(9, 4, 1)])]);
  const second = new Writer();
  encodeEntry(second, entry(9, 4, 1));
  const length = (bytes_: Uint8Array): number[] => [0, 0, 0, 0, 0, 0, 0, bytes_.length];
  const tail = [
    ...[1, 0, 0, 0, 0, 0, 0, 0, 1],
    ...[...length(second.view()), ...second.view()],
    ...[0, 0, 0, 0, 0, 0, 0, 8],
  ];
  assert.equal(bytes[0], 2);
  assert.deepEqual([...bytes.slice(-tail.length)], tail);
});

test("a heartbeat is one zero byte and is told from every message of raft", () => {
  const out = new Writer();
  writeAppendHeartbeat(out);
  assert.deepEqual([...out.view()], [0]);
  assert.deepEqual(decode(out.copy()), [linkHeartbeat]);
});

/** Appends as a leader makes them: it probes, streams, starts anew somewhere, in rising terms. */
const history = fc
  .array(
    fc.record({
      count: fc.nat({ max: 4 }),
      bytes: fc.nat({ max: 40 }),
      isReset: fc.boolean(),
      isNewTerm: fc.boolean(),
    }),
    { maxLength: 30 },
  )
  .map((steps) => {
    let [index, term, logTerm] = [5, 2, 1];
    const messages: Message[] = [];
    for (const { count, bytes, isReset, isNewTerm } of steps) {
      if (isReset) index = Math.max(0, index - 3);
      if (isNewTerm) {
        logTerm = term;
        term++;
      }
      const entries = Array.from({ length: count }, (_, i) => entry(index + 1 + i, term, bytes));
      messages.push(append(index, term, entries, isNewTerm ? logTerm : term));
      index += count;
    }
    return messages;
  });

test("every history of appends is decoded as it was sent, however its bytes are cut", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 300 }), (messages, size) => {
      assert.deepEqual(decode(encode(messages), size), messages);
    }),
  );
});

test("shared entries give every follower the bytes it would get alone", () => {
  const slices = fc.array(fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 6 })), { maxLength: 40 });
  fc.assert(
    fc.property(slices, (wanted) => {
      const log = Array.from({ length: 20 }, (_, i) => entry(i + 1, 3, i));
      const shared = new SharedEntries();
      for (const [start, count] of wanted) {
        const entries = log.slice(start, start + count);
        const alone = new SharedEntries().encoded(entries).slice();
        assert.deepEqual(shared.encoded(entries).slice(), alone);
      }
    }),
  );
});

test("entries of another log at the same index are not taken for those encoded before", () => {
  const shared = new SharedEntries();
  shared.encoded([entry(4, 1, 9)]);
  const other = [entry(4, 2, 8), entry(5, 2, 7)];
  assert.deepEqual(shared.encoded(other).slice(), new SharedEntries().encoded(other).slice());
});

test("bytes changed anywhere give a frame error or messages in order, never anything else", () => {
  fc.assert(
    fc.property(
      history,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      }),
      (messages, changes) => {
        const bytes = encode(messages);
        if (bytes.length === 0) return;
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        try {
          for (const message of decode(bytes, 17)) checkEntries(message);
        } catch (error) {
          if (!(error instanceof FrameError)) throw error;
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("an unknown type, too many entries and too many bytes end the stream", () => {
  const count = (n: number): number[] => [1, 0, 0, 0, 0, 0, 0, 0, n];
  const cases: [number[], string][] = [
    [[3], "failed to parse type 3 in msgappv2 stream"],
    [count(51), "rafthttp: error limit exceeded"],
    [[...count(1), 0, 0, 0, 0, 0, 0, 0x40, 0], "rafthttp: error limit exceeded"],
    [[2, 0, 0, 0, 0, 0, 0, 0x40, 0], "rafthttp: error limit exceeded"],
    [[...count(1), 0, 0, 0, 0, 0, 0, 0, 1, 0xff], "proto: cannot parse invalid wire-format data"],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(() => decode(Uint8Array.from(bytes)), { message });
  }
});

test("entries with a gap, of a fallen or a future term end the stream", () => {
  const first = append(1, 2, [entry(2, 2)]);
  const bad = [
    append(1, 2, [entry(3, 2)]),
    append(1, 2, [entry(2, 2), entry(2, 2)]),
    append(1, 2, [entry(2, 2), entry(3, 1)]),
    append(1, 2, [entry(2, 3)]),
  ];
  for (const message of bad) assert.throws(() => decode(encode([message])), FrameError);
  // The encoder trusts its caller: what continues a stream is checked by the other end.
  assert.throws(() => decode(encode([first, append(2, 2, [entry(9, 2)])])), FrameError);
  assert.throws(() => decode(encode([first, append(2, 2, [entry(3, 1)])])), FrameError);
});
