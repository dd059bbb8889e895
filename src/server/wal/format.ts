import { assert } from "../../base/assert.ts";
import type { Checksum } from "../../base/ports.ts";
import type { Entry, EntryType, HardState } from "../../raft/types.ts";

// The bytes of the WAL; docs/format.md describes them in prose.
// WF1  Every 512-byte sector of a frame starts with the frame's stamp, so that a sector the disk
//      did not write is told apart from one that was damaged later.
// WF2  A frame's checksums cover its sequence number and the checksum of the frame before it.
// WF3  Checksums start from the WAL's own random number: data sent by a client cannot pass for a
//      frame.

/** 2: a log may begin behind a snapshot ({@link snapshotMark}). */
export const walVersion = 2;
/** @forTests */
export const sectorBytes = 512;
const frameHeaderBytes = 72;
const segmentHeaderBytes = 80;
const entryHeaderBytes = 16;
const frameMagic = 0x4c415751; // "QWAL"
const segmentMagic = 0x47455351; // "QSEG"

export interface SegmentHeader {
  readonly version: number;
  readonly nonce: number;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Position among the segments; also in the file's name. */
  readonly segment: number;
  /** Sequence of the first frame. */
  readonly firstSequence: number;
  /** Index of the first entry, unless it replaces earlier ones. */
  readonly firstIndex: number;
  /** Checksum of the frame before the first one; 0 for none. */
  readonly chain: number;
  /** Frames start at multiples of this and the first one is at this offset. */
  readonly paddingBytes: number;
}

export interface FrameHeader {
  readonly sequence: number;
  readonly payloadBytes: number;
  readonly entryCount: number;
  readonly firstIndex: number;
  readonly hardState: HardState;
  readonly chain: number;
  readonly bodyCrc: number;
  readonly headerCrc: number;
}

export function encodeSegmentHeader(header: SegmentHeader, checksum: Checksum): Uint8Array {
  const bytes = new Uint8Array(header.paddingBytes);
  const view = viewOf(bytes);
  view.setUint32(0, segmentMagic, true);
  view.setUint32(4, header.version, true);
  view.setUint32(8, header.nonce, true);
  view.setUint32(12, header.chain, true);
  view.setBigUint64(16, header.clusterId, true);
  view.setBigUint64(24, header.memberId, true);
  putSafe(view, 32, header.segment);
  putSafe(view, 40, header.firstSequence);
  putSafe(view, 48, header.firstIndex);
  view.setUint32(56, header.paddingBytes, true);
  const crcAt = segmentHeaderBytes - 4;
  view.setUint32(crcAt, checksum.crc32(bytes.subarray(0, crcAt), 0), true);
  return bytes;
}

/** The header, or the reason why it is none. */
export function decodeSegmentHeader(bytes: Uint8Array, checksum: Checksum): SegmentHeader | string {
  if (bytes.length < segmentHeaderBytes) return "the header is cut off";
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== segmentMagic) return "the header's magic number is wrong";
  const version = view.getUint32(4, true);
  if (version > walVersion) {
    return `format version ${version} is newer than ${walVersion}, the newest this program knows`;
  }
  const crcAt = segmentHeaderBytes - 4;
  if (view.getUint32(crcAt, true) !== checksum.crc32(bytes.subarray(0, crcAt), 0)) {
    return "the header's checksum is wrong";
  }
  return {
    version,
    nonce: view.getUint32(8, true),
    chain: view.getUint32(12, true),
    clusterId: view.getBigUint64(16, true),
    memberId: view.getBigUint64(24, true),
    segment: getSafe(view, 32),
    firstSequence: getSafe(view, 40),
    firstIndex: getSafe(view, 48),
    paddingBytes: view.getUint32(56, true),
  };
}

/**
 * Type of the one record in a frame that says: the log goes on behind a snapshot of this index and
 * term, and nothing before it is part of the log. Raft's own entry types are lower.
 */
export const snapshotMark = 255;

/** An entry, or the mark of a snapshot, which has no data. */
export type Record = Omit<Entry, "type"> & { readonly type: EntryType | typeof snapshotMark };

/** The mark in the intact frame at `at`; null if the frame holds entries. */
export function decodeSnapshotMark(
  bytes: Uint8Array,
  at: number,
  header: FrameHeader,
): { readonly index: number; readonly term: number } | null {
  if (header.entryCount !== 1 || header.payloadBytes !== entryHeaderBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + frameHeaderBytes);
  if (view.getUint32(4, true) !== snapshotMark) return null;
  return { index: header.firstIndex, term: getSafe(view, 8) };
}

/** Bytes of an entry inside a frame. */
export function entryBytes(entry: Record): number {
  return entryHeaderBytes + entry.data.length;
}

/** Bytes a frame with this payload takes on disk. */
export function frameBytes(payloadBytes: number, paddingBytes: number): number {
  const end = tableEnd(frameHeaderBytes + payloadBytes);
  return Math.ceil(end / paddingBytes) * paddingBytes;
}

export interface FrameContent {
  readonly sequence: number;
  readonly chain: number;
  readonly hardState: HardState;
  /** Index of the first entry, or of the next one if there are none. */
  readonly firstIndex: number;
  readonly entries: readonly Record[];
}

/**
 * Writes the frame to the start of `bytes` (at least frameBytes() long) and returns its header
 * checksum, which the next frame carries as its chain.
 */
export function encodeFrame(
  bytes: Uint8Array,
  content: FrameContent,
  context: { nonce: number; paddingBytes: number; checksum: Checksum },
): number {
  const view = viewOf(bytes);
  let at = frameHeaderBytes;
  for (const entry of content.entries) {
    view.setUint32(at, entry.data.length, true);
    view.setUint32(at + 4, entry.type, true);
    putSafe(view, at + 8, entry.term);
    bytes.set(entry.data, at + entryHeaderBytes);
    at += entryHeaderBytes + entry.data.length;
  }
  const payloadBytes = at - frameHeaderBytes;
  const total = frameBytes(payloadBytes, context.paddingBytes);
  bytes.fill(0, at, total); // the buffer is reused, and what follows the entries must not vary
  const { sequence, hardState } = content;
  const stamp = stampOf(sequence, context.nonce);
  stampSectors(view, at, total, stamp);
  const { crc32 } = context.checksum;
  view.setUint32(0, stamp, true);
  view.setUint32(4, frameMagic, true);
  putSafe(view, 8, sequence);
  view.setUint32(16, payloadBytes, true);
  view.setUint32(20, content.entries.length, true);
  putSafe(view, 24, content.firstIndex);
  putSafe(view, 32, hardState.term);
  view.setBigUint64(40, hardState.vote, true);
  putSafe(view, 48, hardState.commit);
  view.setUint32(56, walVersion, true);
  view.setUint32(60, content.chain, true);
  view.setUint32(64, crc32(bytes.subarray(frameHeaderBytes, tableEnd(at)), context.nonce), true);
  const headerCrc = crc32(bytes.subarray(0, 68), context.nonce);
  view.setUint32(68, headerCrc, true);
  return headerCrc;
}

export type FrameRead =
  | { kind: "frame"; header: FrameHeader; bytes: number }
  /** No frame of this sequence was ever written here. */
  | { kind: "none" }
  /** A write of the frame began and did not end. */
  | { kind: "torn" }
  /** The frame was written whole and is damaged. */
  | { kind: "damaged"; why: string };

interface FrameContext {
  readonly nonce: number;
  readonly paddingBytes: number;
  readonly checksum: Checksum;
}

/** Looks for the frame with `sequence` at `at`. `bytes` is the whole segment; it is not changed. */
export function readFrame(
  bytes: Uint8Array,
  at: number,
  sequence: number,
  context: FrameContext,
): FrameRead {
  const stamp = stampOf(sequence, context.nonce);
  if (at + 4 > bytes.length) return { kind: "none" };
  const view = viewOf(bytes);
  const firstStamp = view.getUint32(at, true);
  if (!isStampLike(firstStamp, stamp)) return { kind: "none" };
  if (at + sectorBytes > bytes.length) return { kind: "torn" };
  const header = readFrameHeader(bytes, at, context);
  if (header === null) return { kind: "damaged", why: "its header fails the checksum" };
  if (header.sequence !== sequence) return { kind: "damaged", why: "its sequence is wrong" };
  const end = tableEnd(frameHeaderBytes + header.payloadBytes);
  const total = frameBytes(header.payloadBytes, context.paddingBytes);
  const body = bytes.subarray(at + frameHeaderBytes, at + end);
  const isWhole = at + end <= bytes.length;
  if (isWhole && context.checksum.crc32(body, context.nonce) === header.bodyCrc) {
    return { kind: "frame", header, bytes: total };
  }
  for (let sector = at + sectorBytes; sector < at + total; sector += sectorBytes) {
    if (sector + sectorBytes > bytes.length) return { kind: "torn" };
    if (!isStampLike(view.getUint32(sector, true), stamp)) return { kind: "torn" };
  }
  return { kind: "damaged", why: "its body fails the checksum" };
}

/** The header at `at` if there is an intact one, of whatever sequence. */
export function readFrameHeader(
  bytes: Uint8Array,
  at: number,
  context: FrameContext,
): FrameHeader | null {
  if (at + frameHeaderBytes > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, frameHeaderBytes);
  if (view.getUint32(4, true) !== frameMagic) return null;
  const headerCrc = view.getUint32(68, true);
  if (context.checksum.crc32(bytes.subarray(at, at + 68), context.nonce) !== headerCrc) return null;
  return {
    sequence: getSafe(view, 8),
    payloadBytes: view.getUint32(16, true),
    entryCount: view.getUint32(20, true),
    firstIndex: getSafe(view, 24),
    hardState: {
      term: getSafe(view, 32),
      vote: view.getBigUint64(40, true),
      commit: getSafe(view, 48),
    },
    chain: view.getUint32(60, true),
    bodyCrc: view.getUint32(64, true),
    headerCrc,
  };
}

/** The entries of the intact frame at `at` with index >= `keepFrom`, copied out of `bytes`. */
export function decodeEntries(
  bytes: Uint8Array,
  at: number,
  header: FrameHeader,
  keepFrom: number,
): Entry[] {
  const end = frameHeaderBytes + header.payloadBytes;
  const frame = bytes.slice(at, at + tableEnd(end));
  restoreSectors(viewOf(frame), end);
  const view = viewOf(frame);
  const entries: Entry[] = [];
  let offset = frameHeaderBytes;
  for (let i = 0; i < header.entryCount; i++) {
    assert(offset + entryHeaderBytes <= end, "an entry header beyond an intact frame's payload");
    const length = view.getUint32(offset, true);
    const from = offset + entryHeaderBytes;
    offset = from + length;
    assert(offset <= end, "an entry beyond an intact frame's payload");
    const index = header.firstIndex + i;
    if (index < keepFrom) continue;
    const type = view.getUint32(from - entryHeaderBytes + 4, true) as EntryType;
    const term = getSafe(view, from - entryHeaderBytes + 8);
    entries.push({ type, term, index, data: frame.subarray(from, offset) });
  }
  assert(offset === end, "an intact frame's payload has bytes after its last entry");
  return entries;
}

/**
 * The first word of each sector of frame `sequence` (WF1). No byte of it is 0, so zeros are never
 * close to it.
 * @forTests
 */
export function stampOf(sequence: number, nonce: number): number {
  let hash = (sequence ^ nonce ^ Math.floor(sequence / 0x100000000)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) | 0x80808080) >>> 0;
}

/**
 * Whether the word is the stamp, or the stamp with one byte or two bits damaged. Another frame's
 * stamp comes that close once in 300,000.
 */
function isStampLike(found: number, stamp: number): boolean {
  const difference = found ^ stamp;
  const isOneByte =
    (difference & 0xffffff00) === 0 ||
    (difference & 0xffff00ff) === 0 ||
    (difference & 0xff00ffff) === 0 ||
    (difference & 0x00ffffff) === 0;
  if (isOneByte) return true;
  const withoutOneBit = difference & (difference - 1);
  return (withoutOneBit & (withoutOneBit - 1)) === 0;
}

/**
 * Words that stamps take the place of are kept in a table behind the payload. The table's own
 * sectors begin with a stamp as well, so it skips those words.
 */
function stampSectors(view: DataView, contentEnd: number, total: number, stamp: number): void {
  let slot = align4(contentEnd);
  for (let sector = sectorBytes; sector < total; sector += sectorBytes) {
    if (sector < contentEnd) {
      if (slot % sectorBytes === 0) slot += 4;
      view.setUint32(slot, view.getUint32(sector, true), true);
      slot += 4;
    }
    view.setUint32(sector, stamp, true);
  }
}

function restoreSectors(view: DataView, contentEnd: number): void {
  let slot = align4(contentEnd);
  for (let sector = sectorBytes; sector < contentEnd; sector += sectorBytes) {
    if (slot % sectorBytes === 0) slot += 4;
    // The last sector's word may reach past the content; those bytes are the table's own.
    view.setUint32(sector, view.getUint32(slot, true), true);
    slot += 4;
  }
}

/** Where the table for a frame with this much content ends. */
function tableEnd(contentEnd: number): number {
  const words = Math.ceil(contentEnd / sectorBytes) - 1;
  let slot = align4(contentEnd);
  // Sectors that begin inside the table cost one more word each.
  for (let left = words; left > 0;) {
    if (slot % sectorBytes === 0) slot += 4;
    const room = Math.min(left, (sectorBytes - (slot % sectorBytes)) / 4);
    slot += room * 4;
    left -= room;
  }
  return slot;
}

function align4(offset: number): number {
  return (offset + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function putSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}

function getSafe(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
}
