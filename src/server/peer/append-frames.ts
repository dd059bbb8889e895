/**
 * The msgappv2 stream: one type byte, then
 *   0  nothing: the connection lives
 *   1  appends that continue the stream: count of entries, per entry its length and bytes, commit
 *   2  a whole message: length and bytes; the stream continues behind it
 * All numbers are 8 bytes, big-endian. Pure: bytes in, messages out.
 *
 * AF1  Both ends know the stream's term and index from what was sent; a new connection begins at 0.
 * AF2  A decoded append has entries that follow its index without a gap and of terms that do not
 *      fall or pass the message's: a garbled stream ends here and never reaches raft.
 */
import { assert } from "../../base/assert.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { DecodeError } from "../../codec/reader.ts";
import { decodeEntry, encodeEntry } from "../../codec/raft.ts";
import { Writer } from "../../codec/writer.ts";
import type { Message } from "../../raft/message.ts";
import type { Entry, RaftId } from "../../raft/types.ts";
import { ByteQueue } from "./byte-queue.ts";
import { FrameError } from "./frame-error.ts";
import {
  linkHeartbeat,
  readMessage,
  type StreamDecoder,
  writeMessageFrame,
  writeUint64,
} from "./message-frames.ts";
import { messageType } from "./message-type.ts";

const typeHeartbeat = 0;
const typeEntries = 1;
const typeMessage = 2;

/**
 * Entries as a stream carries them, encoded once a turn for all followers. Followers in step get
 * the same entries; the log hands out the same objects.
 */
export class SharedEntries {
  readonly #out = new Writer();
  readonly #entries: Entry[] = [];
  /** Where each entry begins, and where the last one ends. */
  readonly #offsets: number[] = [0];

  /** Length and bytes of each entry, in order; good until the next call. */
  encoded(entries: readonly Entry[]): Uint8Array {
    const first = entries[0];
    if (first === undefined) return emptyBytes;
    if (this.#out.length > sharedBytesMax) this.reset();
    let at = first.index - (this.#entries[0]?.index ?? first.index);
    if (at < 0 || at > this.#entries.length || !this.#begins(at, entries)) {
      this.reset();
      at = 0;
    }
    for (let i = this.#entries.length - at; i < entries.length; i++) this.#add(entries[i]!);
    const end = this.#offsets[at + entries.length]!;
    return this.#out.bytes.subarray(this.#offsets[at], end);
  }

  /** At the end of a turn: nothing of it is kept. */
  reset(): void {
    this.#out.reset();
    this.#entries.length = 0;
    this.#offsets.length = 1;
  }

  /** Whether what is known from `at` on is the beginning of these entries, or all of them. */
  #begins(at: number, entries: readonly Entry[]): boolean {
    const count = Math.min(this.#entries.length - at, entries.length);
    for (let i = 0; i < count; i++) if (this.#entries[at + i] !== entries[i]) return false;
    return true;
  }

  #add(entry: Entry): void {
    const out = this.#out;
    const start = out.length;
    writeUint64(out, 0);
    encodeEntry(out, entry);
    const end = out.length;
    out.length = start;
    writeUint64(out, end - start - 8);
    out.length = end;
    this.#entries.push(entry);
    this.#offsets.push(end);
  }
}

/** Beyond this a turn's entries are forgotten and begin anew: a follower catches up. */
const sharedBytesMax = 4 * 1024 * 1024;

/** One connection's outgoing side (AF1). */
export class AppendEncoder {
  readonly #shared: SharedEntries;
  #term = 0;
  #index = 0;

  constructor(shared: SharedEntries) {
    this.#shared = shared;
  }

  write(out: Writer, message: Message): void {
    assert(message.type === messageType.app, "only appends travel on this stream");
    const { entries, term, logTerm, index } = message;
    if (this.#index === index && this.#term === logTerm && logTerm === term) {
      out.byte(typeEntries);
      writeUint64(out, entries.length);
      out.raw(this.#shared.encoded(entries));
      writeUint64(out, message.commit);
      this.#index += entries.length;
      return;
    }
    out.byte(typeMessage);
    writeMessageFrame(out, message);
    this.#term = term;
    this.#index = index + entries.length;
  }
}

export function writeAppendHeartbeat(out: Writer): void {
  out.byte(typeHeartbeat);
}

export interface AppendFrameLimits {
  readonly messageBytesMax: number;
  readonly appendEntriesMax: number;
}

type Expected = "type" | "count" | "entryLength" | "entry" | "commit" | "length" | "message";

/** One connection's incoming side (AF1, AF2). */
export class AppendDecoder implements StreamDecoder {
  readonly #queue = new ByteQueue();
  readonly #local: RaftId;
  readonly #remote: RaftId;
  readonly #limits: AppendFrameLimits;
  #term = 0;
  #index = 0;
  #expected: Expected = "type";
  /** Bytes of what is expected. */
  #length = 1;
  /** Of the append that is coming. */
  #entries: Entry[] = [];
  #entriesLeft = 0;
  #entriesBytes = 0;

  constructor(local: RaftId, remote: RaftId, limits: AppendFrameLimits) {
    this.#local = local;
    this.#remote = remote;
    this.#limits = limits;
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  next(): Message | null {
    while (this.#queue.length >= this.#length) {
      const message = this.#step();
      if (message !== null) return message;
    }
    return null;
  }

  #step(): Message | null {
    const queue = this.#queue;
    switch (this.#expected) {
      case "type":
        return this.#onType(queue.takeByte());
      case "count":
        this.#onCount(queue.takeUint64());
        return null;
      case "entryLength": {
        const length = queue.takeUint64();
        this.#entriesBytes += length;
        if (this.#entriesBytes > this.#limits.messageBytesMax) throw tooLarge();
        this.#expect("entry", length);
        return null;
      }
      case "entry":
        this.#onEntry(readEntry(queue.take(this.#length)));
        return null;
      case "commit":
        return this.#onCommit(queue.takeUint64());
      case "length": {
        const length = queue.takeUint64();
        if (length > this.#limits.messageBytesMax) throw tooLarge();
        this.#expect("message", length);
        return null;
      }
      case "message":
        return this.#onMessage(readMessage(queue.take(this.#length)));
    }
  }

  #onType(type: number): Message | null {
    switch (type) {
      case typeHeartbeat:
        return linkHeartbeat;
      case typeEntries:
        this.#expect("count", 8);
        return null;
      case typeMessage:
        this.#expect("length", 8);
        return null;
      default:
        throw new FrameError(`failed to parse type ${type} in msgappv2 stream`);
    }
  }

  #onCount(count: number): void {
    if (count > this.#limits.appendEntriesMax) throw tooLarge();
    this.#entries = [];
    this.#entriesBytes = 0;
    this.#entriesLeft = count;
    this.#expectEntry();
  }

  #expectEntry(): void {
    this.#expect(this.#entriesLeft === 0 ? "commit" : "entryLength", 8);
  }

  #onEntry(entry: Entry): void {
    if (entry.index !== this.#index + this.#entries.length + 1) throw badOrder();
    if (entry.term !== this.#term) throw badOrder(); // only a leader's own term continues a stream
    this.#entries.push(entry);
    this.#entriesLeft--;
    this.#expectEntry();
  }

  #onCommit(commit: number): Message {
    if (commit > Number.MAX_SAFE_INTEGER) throw badOrder();
    const message: Message = {
      ...linkHeartbeat,
      type: messageType.app,
      from: this.#remote,
      to: this.#local,
      term: this.#term,
      logTerm: this.#term,
      index: this.#index,
      entries: this.#entries,
      commit,
    };
    this.#index += this.#entries.length;
    this.#entries = [];
    this.#expect("type", 1);
    return message;
  }

  #onMessage(message: Message): Message {
    if (message.type !== messageType.app) {
      throw new FrameError(`message of type ${message.type} in msgappv2 stream`);
    }
    checkEntries(message);
    this.#term = message.term;
    this.#index = message.index + message.entries.length;
    this.#expect("type", 1);
    return message;
  }

  #expect(what: Expected, length: number): void {
    this.#expected = what;
    this.#length = length;
  }
}

/**
 * AF2, for appends that come whole, on whatever channel.
 *
 * @throws FrameError
 */
export function checkEntries({ type, entries, index, term, logTerm }: Message): void {
  if (type !== messageType.app) return;
  let before = logTerm;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (entry.index !== index + i + 1) throw badOrder();
    if (entry.term < before || entry.term > term) throw badOrder();
    before = entry.term;
  }
}

function readEntry(bytes: Uint8Array): Entry {
  try {
    return decodeEntry(bytes);
  } catch (error) {
    if (error instanceof DecodeError) throw new FrameError(error.message);
    throw error;
  }
}

function tooLarge(): FrameError {
  return new FrameError("rafthttp: error limit exceeded");
}

function badOrder(): FrameError {
  return new FrameError("entries out of order in msgappv2 stream");
}
