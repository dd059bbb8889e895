import { assert } from "../../base/assert.ts";
import type { Checksum, Disk, Done, File } from "../../base/ports.ts";
import type { Entry, HardState } from "../../raft/types.ts";
import { decodeEntries, encodeFrame, entryBytes, snapshotMark, type Record } from "./format.ts";
import {
  frameBytes,
  readFrame,
  readFrameHeader,
  walVersion,
  type SegmentHeader,
} from "./format.ts";
import type { FrameIndex, FramePlace } from "./frame-index.ts";
import { createSegment, type LiveSegment } from "./segment.ts";
import type { SegmentPool } from "./segment-pool.ts";

// WAL1  An append is reported durable only after the write that holds it is on stable storage.
// WAL2  At most one write is under way; what is appended meanwhile goes into the next one.
// WAL3  Every frame carries the whole hard state, so that the newest frame alone tells it.
// WAL4  A failed write is final: it is reported once and nothing is written after it.
// WAL5  A segment leaves only when a newer one holds a frame and all its entries were released.

export interface WalOptions {
  readonly disk: Disk;
  readonly checksum: Checksum;
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly segmentBytes: number;
  /** Granularity of frames: a multiple of 512. */
  readonly paddingBytes: number;
  /** Most bytes of entries in one frame; one entry always fits. */
  readonly frameBytesMax: number;
  /** A write of at most this many entries, with nothing under way, is made at once, blocking. */
  readonly inlineEntriesMax: number;
  /** And of at most this many bytes. */
  readonly inlineBytesMax: number;
  /** And only while writes take no longer on average: a slow disk must not stop the loop. */
  readonly inlineWriteMsMax: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told how long each write took, in milliseconds. */
  readonly observeWrite?: (durationMs: number) => void;
  /** Everything appended up to this ticket is durable. May be called inside of append(). */
  readonly durable: (ticket: number) => void;
  /** The log cannot go on (WAL4). Called once. */
  readonly failed: (error: Error) => void;
}

/** Where writing goes on: what recovery found, or a first segment. */
export interface WalPosition {
  readonly nonce: number;
  readonly segments: LiveSegment[];
  readonly file: File;
  /** Frame granularity of the newest segment. */
  readonly paddingBytes: number;
  readonly end: number;
  readonly nextSequence: number;
  readonly chain: number;
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly frames: FrameIndex;
}

/** Totals since the start, for metrics. */
export interface WalCounters {
  writes: number;
  inlineWrites: number;
  bytes: number;
  entries: number;
}

/** The log on disk. Appends come in order; each is durable when its ticket is. */
export class Wal {
  readonly counters: WalCounters = { writes: 0, inlineWrites: 0, bytes: 0, entries: 0 };
  readonly #options: WalOptions;
  readonly #pool: SegmentPool;
  readonly #frames: FrameIndex;
  readonly #segments: LiveSegment[];
  readonly #nonce: number;
  #file: File;
  #paddingBytes: number;
  #end: number;
  #sequence: number;
  #chain: number;
  /** The last index appended, and the last one in a frame. */
  #lastIndex: number;
  #writtenLastIndex: number;
  #hardState: HardState;
  #pending: Record[] = [];
  #isHardStatePending = false;
  #ticket = 0;
  #durableTicket = 0;
  /** A write or a change of segment is under way (WAL2). */
  #isBusy = false;
  #isFailed = false;
  /** Smoothed duration of a write. */
  #writeMs = 0;
  #buffer = new Uint8Array(bufferBytesMin);
  #whenIdle: (() => void) | null = null;

  constructor(options: WalOptions, pool: SegmentPool, position: WalPosition) {
    this.#options = options;
    this.#pool = pool;
    this.#frames = position.frames;
    this.#segments = position.segments;
    this.#nonce = position.nonce;
    this.#file = position.file;
    this.#paddingBytes = position.paddingBytes;
    this.#end = position.end;
    this.#sequence = position.nextSequence;
    this.#chain = position.chain;
    this.#lastIndex = position.lastIndex;
    this.#writtenLastIndex = position.lastIndex;
    this.#hardState = position.hardState;
  }

  /** The first index in the log. */
  get firstIndex(): number {
    return this.#segments[0]!.firstIndex;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Everything up to this ticket is durable. */
  get durableTicket(): number {
    return this.#durableTicket;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /**
   * Adds entries, in place of everything from the first one's index on, and the hard state if
   * given. Returns the ticket that `durable` reports. Entries are kept by reference until then.
   */
  append(hardState: HardState | null, entries: readonly Entry[]): number {
    if (hardState !== null) this.#hardState = hardState;
    if (entries.length > 0) this.#addPending(entries);
    this.#isHardStatePending = true;
    this.#ticket++;
    const ticket = this.#ticket;
    this.#write();
    return ticket;
  }

  /**
   * The log goes on behind a snapshot: every entry before this call is no part of it any more.
   * Returns the ticket as append does.
   */
  beginBehind(index: number, term: number, hardState: HardState | null): number {
    this.#pending = [{ type: snapshotMark, term, index, data: noData }];
    this.#lastIndex = index;
    return this.append(hardState, []);
  }

  /** A hard state of which only the commit index is new: it travels with the next append. */
  noteCommit(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Entries up to `index` are durable in the backend: their segments may go (WAL5). */
  releaseTo(index: number): void {
    let keep = 0;
    let newestWithFrame = this.#segments.length - 1;
    while (newestWithFrame > 0 && this.#segments[newestWithFrame]!.frames === 0) newestWithFrame--;
    while (keep < newestWithFrame && this.#segments[keep + 1]!.firstIndex <= index + 1) keep++;
    if (keep === 0) return;
    for (const gone of this.#segments.splice(0, keep)) this.#pool.release(gone.path, gone.bytes);
    this.#frames.dropBefore(this.#segments[0]!.segment);
  }

  /**
   * Reads entries low <= index < high back, cut after `bytesMax` bytes of data but never to none.
   * The value is null when `low` is not in the log any more.
   */
  entries(low: number, high: number, bytesMax: number, done: Done<Entry[] | null>): void {
    const place = this.#frames.at(this.#frames.find(low));
    if (place === undefined) {
      queueMicrotask(() => {
        done(null, null);
      });
      return;
    }
    const found: Entry[] = [];
    let bytes = 0;
    const next = (at: FramePlace): void => {
      this.#readFrame(at, (error, entries) => {
        if (error !== null || entries === null) {
          done(error, found.length > 0 ? found : null);
          return;
        }
        for (const entry of entries) {
          if (entry.index < low + found.length || entry.index > at.lastIndex) continue;
          bytes += entry.data.length;
          const isEnough = found.length > 0 && bytes > bytesMax;
          if (entry.index >= high || isEnough) {
            done(null, found);
            return;
          }
          found.push(entry);
        }
        const following = this.#frames.at(this.#frames.find(low + found.length));
        if (following === undefined) done(null, found);
        else next(following);
      });
    };
    next(place);
  }

  /** Waits for what is under way, then closes. Appends not yet begun are dropped. */
  close(done: () => void): void {
    this.#isFailed = true; // nothing is begun any more
    this.#whenIdle = (): void => {
      this.#pool.close(() => {
        this.#file.close(done);
      });
    };
    this.#checkIdle();
  }

  #addPending(entries: readonly Entry[]): void {
    const first = entries[0]!.index;
    assert(first <= this.#lastIndex + 1, () => `WAL gap: ${this.#lastIndex} then ${first}`);
    // What waits and is replaced need not be written; what is under way stays.
    for (let last = this.#pending.length - 1; last >= 0; last--) {
      const waiting = this.#pending[last]!;
      if (waiting.index < first || waiting.type === snapshotMark) break;
      this.#pending.pop();
    }
    for (const entry of entries) this.#pending.push(entry);
    this.#lastIndex = entries[entries.length - 1]!.index;
  }

  /** Begins the next write, if there is something to write and nothing is under way. */
  #write(): void {
    if (this.#isBusy || this.#isFailed || !this.#isHardStatePending) return;
    const { frameBytesMax } = this.#options;
    let payloadBytes = 0;
    let count = 0;
    for (const entry of this.#pending) {
      const bytes = payloadBytes + entryBytes(entry);
      if (count > 0 && bytes > frameBytesMax) break;
      payloadBytes = bytes;
      count++;
      if (entry.type === snapshotMark) break; // the mark is alone in its frame
    }
    const total = frameBytes(payloadBytes, this.#paddingBytes);
    if (this.#end + total > this.#segments[this.#segments.length - 1]!.bytes) {
      this.#changeSegment(frameBytes(payloadBytes, this.#options.paddingBytes));
      return;
    }
    const isAll = count === this.#pending.length;
    const entries = isAll ? this.#pending : this.#pending.slice(0, count);
    this.#pending = isAll ? [] : this.#pending.slice(count);
    this.#isHardStatePending = !isAll;
    this.#writeFrame(entries, total, isAll ? this.#ticket : this.#durableTicket);
  }

  #writeFrame(entries: readonly Record[], total: number, ticket: number): void {
    const frame = this.#encode(entries, total);
    const at = this.#end;
    const segment = this.#segments[this.#segments.length - 1]!;
    const startedAt = this.#options.now();
    const written = (error: Error | null): void => {
      this.#isBusy = false;
      this.#observe(this.#options.now() - startedAt);
      if (error !== null) {
        this.#fail(error);
        return;
      }
      segment.frames++;
      if (entries[0]?.type === snapshotMark) this.#frames.clear();
      else if (entries.length > 0) {
        const firstIndex = entries[0]!.index;
        const lastIndex = entries[entries.length - 1]!.index;
        this.#frames.add({ segment: segment.segment, at, bytes: total, firstIndex, lastIndex });
      }
      this.counters.writes++;
      this.counters.bytes += total;
      this.counters.entries += entries.length;
      this.#durableTicket = ticket;
      this.#write(); // the disk works on while the owner applies
      this.#options.durable(ticket); // WAL1
      this.#checkIdle();
    };
    this.#isBusy = true;
    this.#end += total;
    if (!this.#isInline(entries.length, total)) {
      this.#file.writeDurable(at, frame, written);
      return;
    }
    this.counters.inlineWrites++;
    let failure: Error | null = null;
    try {
      this.#file.writeDurableNow(at, frame);
    } catch (error) {
      failure = error as Error;
    }
    written(failure);
  }

  /** Whether blocking for the write is better than a detour over another thread. */
  #isInline(entryCount: number, total: number): boolean {
    const { inlineEntriesMax, inlineBytesMax, inlineWriteMsMax } = this.#options;
    const isSmall = entryCount <= inlineEntriesMax && total <= inlineBytesMax;
    return isSmall && this.#writeMs <= inlineWriteMsMax;
  }

  #observe(durationMs: number): void {
    this.#writeMs += (durationMs - this.#writeMs) / 8;
    this.#options.observeWrite?.(durationMs);
  }

  #encode(entries: readonly Record[], total: number): Uint8Array {
    if (this.#buffer.length < total || this.#buffer.length > bufferBytesKept) {
      let size = bufferBytesMin;
      while (size < total) size *= 2;
      if (size !== this.#buffer.length) this.#buffer = new Uint8Array(size);
    }
    const firstIndex = entries.length > 0 ? entries[0]!.index : this.#writtenLastIndex + 1;
    this.#writtenLastIndex = firstIndex + entries.length - 1;
    const { term, vote, commit } = this.#hardState;
    this.#chain = encodeFrame(
      this.#buffer,
      {
        sequence: this.#sequence++,
        chain: this.#chain,
        // A frame never promises more than the entries up to its own end.
        hardState: { term, vote, commit: Math.min(commit, this.#writtenLastIndex) },
        firstIndex,
        entries,
      },
      {
        nonce: this.#nonce,
        paddingBytes: this.#paddingBytes,
        checksum: this.#options.checksum,
      },
    );
    return this.#buffer.subarray(0, total);
  }

  /** Closes the full segment and goes on in a new one that has room for `total` bytes. */
  #changeSegment(total: number): void {
    this.#isBusy = true;
    const { paddingBytes } = this.#options;
    this.#pool.take(paddingBytes + total, (spare) => {
      const before = this.#segments[this.#segments.length - 1]!;
      const header: SegmentHeader = {
        version: walVersion,
        nonce: this.#nonce,
        clusterId: this.#options.clusterId,
        memberId: this.#options.memberId,
        segment: before.segment + 1,
        firstSequence: this.#sequence,
        firstIndex: this.#writtenLastIndex + 1,
        chain: this.#chain,
        paddingBytes,
      };
      createSegment(this.#options, spare, header, (error, segment) => {
        this.#isBusy = false;
        if (error !== null) {
          this.#fail(error);
          return;
        }
        const full = this.#file;
        this.#file = spare.file;
        this.#segments.push(segment);
        this.#end = paddingBytes;
        this.#paddingBytes = paddingBytes;
        this.#pool.prepare();
        full.close((closeError) => {
          if (closeError !== null) this.#fail(closeError);
        });
        this.#write();
        this.#checkIdle();
      });
    });
  }

  #readFrame(place: FramePlace, done: Done<Entry[] | null>): void {
    const segment = this.#segments.find((live) => live.segment === place.segment);
    if (segment === undefined) {
      done(null, null);
      return;
    }
    const { disk, checksum } = this.#options;
    disk.open(segment.path, "read", (openError, file) => {
      // The segment may have left meanwhile, and its file may be in other use already.
      const isGone = (): boolean => !this.#segments.includes(segment);
      if (openError !== null) {
        done(isGone() ? null : openError, null);
        return;
      }
      file.read(place.at, place.bytes, (readError, bytes) => {
        file.close(() => {
          if (isGone()) done(null, null);
          else if (readError !== null) done(readError, null);
          else {
            const context = { nonce: this.#nonce, paddingBytes: this.#paddingBytes, checksum };
            const header = readFrameHeader(bytes, 0, context);
            const isIntact =
              header !== null && readFrame(bytes, 0, header.sequence, context).kind === "frame";
            if (isIntact) done(null, decodeEntries(bytes, 0, header, 0));
            else done(new Error(`Cannot read "${segment.path}" at ${place.at} back`), null);
          }
        });
      });
    });
  }

  #fail(error: Error): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#options.failed(error);
  }

  #checkIdle(): void {
    if (this.#whenIdle === null || this.#isBusy) return;
    const run = this.#whenIdle;
    this.#whenIdle = null;
    run();
  }
}

const noData = new Uint8Array(0);
const bufferBytesMin = 64 * 1024;
const bufferBytesKept = 4 * 1024 * 1024;
