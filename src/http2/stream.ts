/**
 * One stream: its two halves, its windows and its queue of outgoing DATA.
 *
 * S1  A stream is in its connection's map from its HEADERS until `closed`; after that it sends
 *     nothing and gets no further call.
 * S2  DATA leaves in the order it was queued; END_STREAM leaves behind all of it.
 * S3  `queuedBytes` is what the queue holds; the connection's total is the sum over its streams.
 * S4  Queued arrays are kept by reference: whoever queues them never changes them again.
 */
import type { Connection } from "./connection.ts";
import type { RequestHead } from "./request.ts";

const noQueue: Uint8Array[] = [];

export abstract class Stream {
  readonly connection: Connection;
  readonly id: number;
  readonly head: RequestHead;

  /** What the peer lets us send; may be negative after it shrank its initial window. */
  sendWindow: number;
  /** What we still let the peer send, and what came since the last update. */
  receiveWindow: number;
  receivedSinceUpdate = 0;
  /** Body bytes so far, against content-length. */
  bodyBytes = 0;

  /** END_STREAM came. */
  remoteClosed = false;
  /** END_STREAM left. */
  localClosed = false;
  closed = false;

  /** Most streams never queue anything: they share one empty queue. */
  private queue: Uint8Array[] = noQueue;
  private queueHead = 0;
  private queueOffset = 0;
  queuedBytes = 0;
  /** Nothing more will be queued: END_STREAM follows the queue. */
  ending = false;
  /** Bytes sent in this turn. */
  turnBytes = 0;
  /** In the connection's ring of streams that can send. */
  inRing = false;

  constructor(connection: Connection, id: number, head: RequestHead) {
    this.connection = connection;
    this.id = id;
    this.head = head;
    this.sendWindow = connection.outbound.initialSendWindow;
    this.receiveWindow = connection.limits.streamWindowBytes;
  }

  /** Registered (S1): the request may be looked at and answered. */
  abstract start(): void;
  /** Body bytes `bytes[start..end)`, valid during the call. */
  abstract onData(bytes: Uint8Array, start: number, end: number): void;
  /** The client's half ended well. */
  abstract onRemoteEnd(): void;
  /** The connection drains: what has no end of its own should end now. */
  abstract onDrain(): void;
  /** The stream is over, in whatever way; called once. */
  abstract onClosed(): void;
  /** Part of the queue left. */
  abstract onSent(): void;
  /** The queue is empty and `ending`: END_STREAM is to be written, with trailers or without. */
  abstract writeEnd(): void;

  /** Queues an array by reference (S4). */
  enqueue(part: Uint8Array): void {
    if (part.length === 0) return;
    if (this.queue === noQueue) this.queue = [];
    this.queue.push(part);
    this.queuedBytes += part.length;
    this.connection.outbound.queuedBytes += part.length;
  }

  /** Copies the next `count` queued bytes to `target[at..)` and takes them from the queue. */
  dequeueInto(target: Uint8Array, at: number, count: number): void {
    this.queuedBytes -= count;
    this.connection.outbound.queuedBytes -= count;
    while (count > 0) {
      const part = this.queue[this.queueHead]!;
      const offset = this.queueOffset;
      const rest = part.length - offset;
      if (rest > count) {
        target.set(part.subarray(offset, offset + count), at);
        this.queueOffset = offset + count;
        return;
      }
      target.set(offset === 0 ? part : part.subarray(offset), at);
      at += rest;
      count -= rest;
      this.queueOffset = 0;
      this.queueHead++;
    }
    this.trimQueue();
  }

  dropQueue(): void {
    this.connection.outbound.queuedBytes -= this.queuedBytes;
    this.queuedBytes = 0;
    this.queue = noQueue;
    this.queueHead = 0;
    this.queueOffset = 0;
  }

  /** Lets go of parts that left, seldom enough to stay linear. */
  private trimQueue(): void {
    if (this.queueHead === this.queue.length) {
      this.queue = noQueue;
      this.queueHead = 0;
    } else if (this.queueHead > 64 && this.queueHead * 2 > this.queue.length) {
      this.queue.splice(0, this.queueHead);
      this.queueHead = 0;
    }
  }
}
