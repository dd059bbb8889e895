import type { Checksum } from "../../base/ports.ts";
import type { Entry, HardState } from "../../raft/types.ts";
import {
  decodeEntries,
  decodeSegmentHeader,
  decodeSnapshotMark,
  readFrame,
  readFrameHeader,
} from "./format.ts";
import type { FrameHeader, SegmentHeader } from "./format.ts";
import { FrameIndex } from "./frame-index.ts";
import type { SegmentName } from "./names.ts";

// RC1  Only an unfinished write at the very end is dropped; anything else that is wrong is refused
//      (D2).
// RC2  Segments follow each other without a gap, each starting where the one before ended.
// RC3  At most one write is under way at any time, so no newer frame is behind an unfinished one.

/** The log on disk is not what was written: the member must not start. */
export class WalCorruptError extends Error {
  override readonly name = "WalCorruptError";
}

/** What must match, and what is wanted from the log. */
export interface RecoverOptions {
  readonly checksum: Checksum;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Entries below this index are checked but not kept. */
  readonly keepFrom: number;
}

/** Replays segments, oldest first, one at a time so that only one is in memory. */
export class Recovery {
  readonly #options: RecoverOptions;
  readonly frames = new FrameIndex();
  hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  /** Entries with index >= keepFrom, consecutive. */
  entries: Entry[] = [];
  lastIndex = 0;
  /** The first index in the log; lastIndex + 1 when it holds none. */
  firstIndex = 0;
  /** The snapshot the log begins behind; null when it begins with an entry. */
  base: { readonly index: number; readonly term: number } | null = null;
  nextSequence = 0;
  chain = 0;
  /** Where the next frame goes in the newest segment. */
  end = 0;
  /** Frames in each segment, by its number. */
  readonly frameCounts = new Map<number, number>();
  newest: SegmentHeader | null = null;
  /** Whether an unfinished write was dropped. */
  isTailTorn = false;

  constructor(options: RecoverOptions) {
    this.#options = options;
  }

  /** Takes over one segment. Throws WalCorruptError. */
  addSegment(name: SegmentName, file: string, bytes: Uint8Array): void {
    const header = this.#checkHeader(name, file, bytes);
    const context = { ...header, checksum: this.#options.checksum };
    this.newest = header;
    let at = header.paddingBytes;
    let count = 0;
    for (;;) {
      const read = readFrame(bytes, at, this.nextSequence, context);
      if (read.kind === "frame") {
        this.#addFrame(name.segment, file, at, bytes, read.header, read.bytes);
        at += read.bytes;
        count++;
        continue;
      }
      // Judged later: if a following segment continues here, nothing was ever lost at this place.
      this.#tail = { file, at, bytes, header, read };
      break;
    }
    this.end = at;
    this.frameCounts.set(name.segment, count);
  }

  /** All segments were added. Throws WalCorruptError when its end is not a mere cut-off write. */
  finish(): void {
    const tail = this.#tail;
    if (tail === null) return;
    if (tail.read.kind === "damaged") {
      throw this.#corrupt(tail.file, `the frame at ${tail.at} was written, but ${tail.read.why}`);
    }
    this.isTailTorn = tail.read.kind === "torn";
    this.#refuseLaterFrames(tail);
    if (this.hardState.commit > this.lastIndex) {
      throw this.#corrupt(
        tail.file,
        `the log ends at index ${this.lastIndex}, before the commit index ${this.hardState.commit}`,
      );
    }
  }

  #tail: {
    file: string;
    at: number;
    bytes: Uint8Array;
    header: SegmentHeader;
    read: ReturnType<typeof readFrame>;
  } | null = null;

  #checkHeader(name: SegmentName, file: string, bytes: Uint8Array): SegmentHeader {
    const header = decodeSegmentHeader(bytes, this.#options.checksum);
    if (typeof header === "string") throw this.#corrupt(file, header);
    const { clusterId, memberId } = this.#options;
    if (header.clusterId !== clusterId || header.memberId !== memberId) {
      throw this.#corrupt(
        file,
        `it belongs to member ${header.memberId.toString(16)} of cluster ` +
          `${header.clusterId.toString(16)}, not to member ${memberId.toString(16)} of cluster ` +
          clusterId.toString(16),
      );
    }
    if (header.segment !== name.segment || header.firstIndex !== name.firstIndex) {
      throw this.#corrupt(file, "its name and its header disagree");
    }
    const before = this.newest;
    if (before === null) {
      this.nextSequence = header.firstSequence;
      this.chain = header.chain;
      this.firstIndex = header.firstIndex;
      this.lastIndex = header.firstIndex - 1;
      return header;
    }
    if (header.segment !== before.segment + 1) {
      throw this.#corrupt(file, `segment ${before.segment + 1} is missing before it`);
    }
    const continues =
      header.nonce === before.nonce &&
      header.firstSequence === this.nextSequence &&
      header.chain === this.chain &&
      header.firstIndex === this.lastIndex + 1;
    if (!continues) {
      const why = this.#tail?.read.kind === "damaged" ? ` (${this.#tail.read.why})` : "";
      throw this.#corrupt(
        file,
        `it continues after frame ${header.firstSequence - 1}, but the segment before it can be ` +
          `read only up to frame ${this.nextSequence - 1}${why}`,
      );
    }
    return header;
  }

  #addFrame(
    segment: number,
    file: string,
    at: number,
    bytes: Uint8Array,
    header: FrameHeader,
    size: number,
  ): void {
    if (header.chain !== this.chain) {
      throw this.#corrupt(file, `the frame at ${at} does not follow the frame before it`);
    }
    const mark = decodeSnapshotMark(bytes, at, header);
    if (mark === null && header.firstIndex > this.lastIndex + 1) {
      throw this.#corrupt(
        file,
        `the frame at ${at} starts at index ${header.firstIndex} after index ${this.lastIndex}`,
      );
    }
    this.nextSequence = header.sequence + 1;
    this.chain = header.headerCrc;
    this.hardState = header.hardState;
    if (header.entryCount === 0) return;
    if (mark !== null) {
      this.#beginBehind(mark);
      return;
    }
    // Entries of segments that have left may have been replaced by this frame.
    if (header.firstIndex < this.firstIndex) {
      this.firstIndex = header.firstIndex;
      this.base = null;
    }
    const { keepFrom } = this.#options;
    const lastIndex = header.firstIndex + header.entryCount - 1;
    this.frames.add({ segment, at, bytes: size, firstIndex: header.firstIndex, lastIndex });
    const kept = this.entries;
    while (kept.length > 0 && kept[kept.length - 1]!.index >= header.firstIndex) kept.pop();
    if (lastIndex >= keepFrom) {
      for (const entry of decodeEntries(bytes, at, header, keepFrom)) kept.push(entry);
    }
    this.lastIndex = lastIndex;
  }

  #beginBehind(mark: { readonly index: number; readonly term: number }): void {
    this.base = mark;
    this.firstIndex = mark.index + 1;
    this.lastIndex = mark.index;
    this.entries = [];
    this.frames.clear();
  }

  /** A newer frame behind the end: then the end is damage, not a write that was cut short (RC3). */
  #refuseLaterFrames(tail: { file: string; at: number; bytes: Uint8Array; header: SegmentHeader }) {
    const { file, bytes, header } = tail;
    const context = { ...header, checksum: this.#options.checksum };
    for (let at = tail.at; at < bytes.length; at += header.paddingBytes) {
      const found = readFrameHeader(bytes, at, context);
      if (found === null || found.sequence < this.nextSequence) continue;
      if (at === tail.at && found.sequence === this.nextSequence) continue; // the unfinished one
      throw this.#corrupt(
        file,
        `the frame at ${tail.at} is damaged: frame ${found.sequence} follows it at ${at}`,
      );
    }
  }

  #corrupt(file: string, why: string): WalCorruptError {
    return new WalCorruptError(`Cannot use WAL segment "${file}": ${why}`);
  }
}
