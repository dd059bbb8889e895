// One watch as its user holds it. Streams come and go beneath it (watch-stream.ts).
//
//                    placed             created
//   ┌─────┐  ┌───────────────▶ ┌─────────┐ ───────────▶ ┌──────┐
//   │ new │──┘                 │ pending │              │ live │
//   └─────┘          ┌───────▶ └─────────┘ ◀─────────── └──────┘
//                    │              ▲      stream broke  │    │ buffer full and
//                    │ stream opens │                    │    │ stream shared
//                    └──────────────┘   reader took half │    ▼
//                                   ▲  ┌────────┐        │
//                                   └──│ parked │ ◀──────┘
//                                      └────────┘
//   any ── cancel(), signal, client closed ──▶ ended quietly
//   any ── compacted, canceled, stream refused ──▶ ended with an error
//
// WA1  Delivered once and in order: an event below `nextRevision` was delivered before and is
//      dropped; `nextRevision` grows with what is delivered, and only so.
// WA2  After any break the watch is created anew from `nextRevision`; so whatever a broken stream
//      did not bring is brought by the next one, or the watch ends as compacted.
// WA3  A revision's events are delivered in one batch: fragments are joined first, and what was
//      joined when a stream broke is forgotten, for it comes again.
// WA4  A reader that does not read holds `bufferedBatchesMax` batches, or bytes up to a bound, or a
//      single batch when all watches of the client together hold too much. Then the stream is
//      paused if it serves this watch alone; if it is shared, the watch leaves it, so that the
//      others are not held up, and comes back from `nextRevision` when its reader has taken half.
//      Nothing is lost but time: the server keeps the history, and says so if it no longer does.
// WA5  After the end nothing is delivered. A quiet end drops what was buffered; an error comes
//      behind it.
import { grpcCode } from "../../base/grpc-code.ts";
import type { WatchEvent, WatchResponse } from "../../codec/client/watch.ts";
import { AsyncQueue } from "../async-queue.ts";
import { CanceledError, WatchCanceledError } from "../errors.ts";
import type { Header, Watcher, WatchBatch } from "../types.ts";
import { EventIterator } from "./event-iterator.ts";
import { WatchListeners, type WatchListener, type WatchSignal } from "./watch-listeners.ts";
import type { WatchSpec } from "./watch-spec.ts";
import type { WatchStream } from "./watch-stream.ts";

/** Bytes of messages held for one reader (WA4). */
const heldBytesMax = 16 * 1024 * 1024;
/** Bytes of messages held for all readers of a client (WA4). */
const heldBytesOfAllMax = 64 * 1024 * 1024;
/** No server sends a response so large in fragments: it has no end. */
const joinedBytesMax = 1024 * 1024 * 1024;

/** What the watches of one client share. */
export interface WatchHost {
  /** Bytes of messages held for readers. */
  heldBytes: number;
  /** The buffer is full. */
  full(watcher: ClientWatcher): void;
  /** Half of the buffer was taken after it was full. */
  drained(watcher: ClientWatcher): void;
  /** The watch has ended. */
  ended(watcher: ClientWatcher): void;
}

interface HeldBatch extends WatchBatch {
  readonly sizeBytes: number;
}

export class ClientWatcher implements Watcher {
  readonly spec: WatchSpec;
  /** The stream that serves it; null while it is parked or has ended. */
  home: WatchStream | null = null;
  /** Its id there; 0 while none was asked for. */
  watchId = 0;
  /** The buffer was full and is not half empty yet. */
  isFull = false;
  /** Why its stream broke last. */
  lastError: Error | null = null;
  readonly #host: WatchHost;
  readonly #batchesMax: number;
  readonly #queue = new AsyncQueue<HeldBatch>();
  readonly #listeners = new WatchListeners();
  #next: number;
  #heldBytes = 0;
  #joined: WatchEvent[] | null = null;
  #joinedBytes = 0;
  #isEnded = false;
  #isIterated = false;
  #createdHeader: Header | null = null;
  #createdError: Error | null = null;
  #created: PromiseWithResolvers<Header> | null = null;
  #forgetSignal: (() => void) | null = null;

  constructor(spec: WatchSpec, batchesMax: number, host: WatchHost) {
    this.spec = spec;
    this.#batchesMax = batchesMax;
    this.#host = host;
    this.#next = spec.startRevision;
  }

  get nextRevision(): number {
    return this.#next;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get created(): Promise<Header> {
    if (this.#created === null) {
      this.#created = withResolvers();
      // Nobody has to wait for it: an error is heard elsewhere, too.
      this.#created.promise.catch(() => undefined);
      if (this.#createdHeader !== null) this.#created.resolve(this.#createdHeader);
      else if (this.#createdError !== null) this.#created.reject(this.#createdError);
    }
    return this.#created.promise;
  }

  /** Ends when the signal fires. */
  follow(signal: AbortSignal): void {
    const abort = (): void => {
      this.#quit(new CanceledError(signal.reason, this.#whyUncreated()));
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    this.#forgetSignal = () => {
      signal.removeEventListener("abort", abort);
    };
  }

  on(event: "batch", listener: (batch: WatchBatch) => void): this;
  on(event: "event", listener: (event: WatchEvent) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "end", listener: () => void): this;
  on(event: WatchSignal, listener: WatchListener): this {
    const isData = event === "batch" || event === "event";
    if (isData && this.#isIterated) throw new Error("The watch is iterated over already");
    this.#listeners.add(event, listener);
    if (isData || this.#isEnded) {
      // Listeners added in the same turn hear what was held back, too.
      queueMicrotask(() => {
        this.#release();
      });
    }
    return this;
  }

  off(event: WatchSignal, listener: WatchListener): this {
    this.#listeners.remove(event, listener);
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch, undefined> {
    if (this.#listeners.isFlowing) throw new Error("The watch has listeners already");
    this.#isIterated = true;
    return {
      next: () => this.#read(),
      return: async () => {
        await this.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  events(): AsyncIterable<WatchEvent> {
    const batches = this[Symbol.asyncIterator]();
    return { [Symbol.asyncIterator]: () => new EventIterator(batches) };
  }

  cancel(): Promise<void> {
    this.#quit(new CanceledError(undefined, this.#whyUncreated()));
    return Promise.resolve();
  }

  /** Ends without an error; who waits for `created` learns why. */
  #quit(reason: Error): void {
    if (this.#isEnded) return;
    this.#drop();
    this.#end(null, reason);
  }

  // What the stream says.

  confirmed(header: Header): void {
    if (this.#next === 0) this.#next = header.revision + 1;
    if (this.#createdHeader !== null) return; // a resumption
    this.#createdHeader = header;
    this.#created?.resolve(header);
  }

  /** The stream broke: it says nothing more. */
  disconnected(error: Error | null): void {
    this.watchId = 0;
    this.#joined = null; // WA3
    this.lastError = error;
  }

  received(response: WatchResponse): void {
    let { events, sizeBytes } = response;
    if (response.fragment || this.#joined !== null) {
      if (!this.#join(response)) return;
      events = this.#joined ?? [];
      sizeBytes = this.#joinedBytes;
      this.#joined = null;
    }
    if (events.length === 0) {
      this.progressed(response.header);
      return;
    }
    if (events[0]!.kv.modRevision < this.#next) {
      events = events.filter(({ kv }) => kv.modRevision >= this.#next); // WA1
      if (events.length === 0) return;
    }
    this.#next = events[events.length - 1]!.kv.modRevision + 1;
    this.#deliver({ header: response.header, events, isProgress: false, sizeBytes });
  }

  /** Everything up to the header's revision was delivered. */
  progressed(header: Header): void {
    if (header.revision + 1 < this.#next) return; // WA1: of a member that is behind
    this.#next = header.revision + 1;
    this.#deliver({ header, events: [], isProgress: true, sizeBytes: 0 });
  }

  /** The server or the client ended it; null: quietly. */
  end(error: Error | null, reason: Error | null = error): void {
    if (this.#isEnded) return;
    if (error === null) this.#drop();
    this.#end(error, reason);
  }

  /** True when the last fragment has come. */
  #join(response: WatchResponse): boolean {
    if (this.#joined === null) this.#joinedBytes = 0;
    const joined = (this.#joined ??= []);
    for (const event of response.events) joined.push(event);
    this.#joinedBytes += response.sizeBytes;
    if (this.#joinedBytes > joinedBytesMax) {
      const text = `fragments of more than ${joinedBytesMax} bytes`;
      this.end(new WatchCanceledError(grpcCode.resourceExhausted, text));
      return false;
    }
    return !response.fragment;
  }

  #deliver(batch: HeldBatch): void {
    if (this.#listeners.isFlowing && this.#queue.length === 0) {
      this.#listeners.batch(batch);
      return;
    }
    if (this.#queue.push(batch)) return; // somebody waited for it
    this.#hold(batch.sizeBytes);
    const host = this.#host;
    const isFull =
      this.#queue.length >= this.#batchesMax ||
      this.#heldBytes >= heldBytesMax ||
      host.heldBytes >= heldBytesOfAllMax;
    if (!isFull || this.isFull) return;
    this.isFull = true; // WA4
    host.full(this);
  }

  #read(): Promise<IteratorResult<WatchBatch, undefined>> {
    const batch = this.#take();
    if (batch === undefined) return this.#queue.next();
    return Promise.resolve({ done: false, value: batch });
  }

  #take(): HeldBatch | undefined {
    const batch = this.#queue.shift();
    if (batch === undefined) return undefined;
    this.#hold(-batch.sizeBytes);
    const isHalf =
      this.#queue.length * 2 <= this.#batchesMax && this.#heldBytes * 2 <= heldBytesMax;
    if (this.isFull && isHalf) {
      this.isFull = false;
      this.#host.drained(this);
    }
    return batch;
  }

  /** Gives to new listeners what was held back for a reader. */
  #release(): void {
    while (this.#listeners.isFlowing) {
      const batch = this.#take();
      if (batch === undefined) break;
      this.#listeners.batch(batch);
    }
    if (this.#isEnded) this.#listeners.end();
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#host.heldBytes += bytes;
  }

  #drop(): void {
    this.#hold(-this.#heldBytes);
    this.#queue.clear();
  }

  #end(error: Error | null, reason: Error | null): void {
    this.#isEnded = true;
    this.#joined = null;
    this.#forgetSignal?.();
    this.#createdError = reason ?? new CanceledError();
    this.#created?.reject(this.#createdError); // nothing happens when it was confirmed before
    this.#host.ended(this);
    this.#queue.end(error);
    this.#listeners.setEnd(error);
    if (this.#queue.length === 0 || !this.#listeners.isFlowing) this.#listeners.end();
  }

  #whyUncreated(): string {
    const why = this.lastError === null ? "" : `; its last stream: ${this.lastError.message}`;
    return `The watch was canceled before the server confirmed it${why}`;
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: PromiseWithResolvers<T>["resolve"];
  let reject!: PromiseWithResolvers<T>["reject"];
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
