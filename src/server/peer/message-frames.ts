/**
 * The message stream: 8-byte big-endian length and a raftpb.Message, again and again. A snapshot
 * request begins with one such frame, too. Pure: bytes in, messages out.
 */
import { DecodeError } from "../../codec/reader.ts";
import { decodeMessage, encodeMessage } from "../../codec/raft.ts";
import type { Writer } from "../../codec/writer.ts";
import { createMessage, type Message } from "../../raft/message.ts";
import { ByteQueue } from "./byte-queue.ts";
import { FrameError } from "./frame-error.ts";
import { messageType } from "./message-type.ts";

const lengthBytes = 8;

/** Says on an idle stream that the connection lives. Raft's own messages have from and to. */
export function isLinkHeartbeat(message: Message): boolean {
  return message.type === messageType.heartbeat && message.from === 0n && message.to === 0n;
}

/** A decoder's find when the peer only says that it is there. */
export const linkHeartbeat: Message = createMessage({
  type: messageType.heartbeat,
  to: 0n,
  from: 0n,
});

export function writeMessageFrame(out: Writer, message: Message): void {
  const at = out.length;
  writeUint64(out, 0);
  encodeMessage(out, message);
  setUint64(out.bytes, at, out.length - at - lengthBytes);
}

/** The frame of {@link linkHeartbeat}: only the type. */
export function writeMessageHeartbeat(out: Writer): void {
  writeUint64(out, 2);
  out.byte(0x08);
  out.byte(messageType.heartbeat);
}

export function writeUint64(out: Writer, value: number): void {
  out.ensure(lengthBytes);
  setUint64(out.bytes, out.length, value);
  out.length += lengthBytes;
}

function setUint64(bytes: Uint8Array, at: number, value: number): void {
  let high = Math.floor(value / 0x1_0000_0000);
  let low = value >>> 0;
  for (let i = 3; i >= 0; i--) {
    bytes[at + i] = high & 0xff;
    bytes[at + 4 + i] = low & 0xff;
    high >>>= 8;
    low >>>= 8;
  }
}

/** What a stream's bytes hold; decoders of both kinds of stream have this shape. */
export interface StreamDecoder {
  push(chunk: Uint8Array): void;
  /**
   * The next whole message, or null when more bytes must come first.
   * @throws FrameError: the stream cannot go on
   */
  next(): Message | null;
}

export interface MessageFrameLimits {
  readonly messageBytesMax: number;
}

export class MessageDecoder implements StreamDecoder {
  readonly #queue = new ByteQueue();
  readonly #limits: MessageFrameLimits;
  /** Of the message that is coming; -1: its length is. */
  #length = -1;

  constructor(limits: MessageFrameLimits) {
    this.#limits = limits;
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  next(): Message | null {
    const queue = this.#queue;
    if (this.#length === -1) {
      if (queue.length < lengthBytes) return null;
      const length = queue.takeUint64();
      if (length > this.#limits.messageBytesMax) throw new FrameError(limitText);
      this.#length = length;
    }
    if (queue.length < this.#length) return null;
    const bytes = queue.take(this.#length);
    this.#length = -1;
    return readMessage(bytes);
  }

  /** Bytes that came and were not taken. */
  get waitingBytes(): number {
    return this.#queue.length;
  }

  /** What came behind the messages taken: of a snapshot request, the database file's first bytes. */
  takeRest(): Uint8Array {
    return this.#queue.take(this.#queue.length);
  }
}

/** As etcd says it. */
const limitText = "rafthttp: error limit exceeded";

export function readMessage(bytes: Uint8Array): Message {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof DecodeError) throw new FrameError(error.message);
    throw error;
  }
}
