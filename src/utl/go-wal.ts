/**
 * The WAL of Go etcd: files of records, each framed by its length and checked by a CRC-32C that
 * goes on over all data of the log.
 *
 * GW1  What a crash cut at the end of the last file is dropped, as etcd does; anything else that is
 *      wrong is refused.
 */
import { concat } from "../base/bytes.ts";
import {
  decodeEntry,
  decodeHardState,
  encodeConfState,
  encodeEntry,
  encodeHardState,
} from "../codec/raft.ts";
import type { ConfState, Entry, HardState } from "../codec/raft.ts";
import { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { nodeChecksum } from "../io/node-checksum.ts";

const recordType = { metadata: 1, entry: 2, state: 3, crc: 4, snapshot: 5 } as const;

/** A log that is not what etcd wrote. @forTests */
export class GoWalError extends Error {
  override readonly name = "GoWalError";
}

export interface GoWalFile {
  readonly name: string;
  /** Read when it is needed, one file at a time. */
  readonly read: () => Uint8Array;
}

export interface GoWal {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly hardState: HardState;
  /** Marks of snapshots, in order. */
  readonly snapshots: readonly { readonly index: number; readonly term: number }[];
  /** What follows the index asked for, without gaps. */
  readonly entries: readonly Entry[];
  /** Term of the entry at the index asked for; 0 if it is not in the log. */
  readonly term: number;
  readonly lastIndex: number;
}

const walName = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/** Reads the log behind entry `after`, from there or `isWhole`. Throws {@link GoWalError}. */
export function readGoWal(files: readonly GoWalFile[], after: number, isWhole = false): GoWal {
  const named = files
    .map((file) => ({ file, match: walName.exec(file.name) }))
    .filter(({ match }) => match !== null)
    .map(({ file, match }) => ({
      file,
      sequence: parseInt(match![1]!, 16),
      index: parseInt(match![2]!, 16),
    }))
    .sort((a, b) => a.sequence - b.sequence);
  const first = isWhole ? 0 : named.findLastIndex(({ index }) => index <= after);
  if (first === -1) throw new GoWalError(`no WAL file begins at index ${after} or before`);
  const log = new GoLog(after);
  for (const [i, { file, sequence }] of named.entries()) {
    if (i < first) continue;
    if (i > first && sequence !== named[i - 1]!.sequence + 1) {
      throw new GoWalError(`the WAL file before ${file.name} is missing`);
    }
    log.addFile(file.name, file.read(), i === named.length - 1);
  }
  return log.end();
}

const lengthBytes = 8;

class GoLog {
  readonly #after: number;
  #crc = 0;
  #metadata: { memberId: bigint; clusterId: bigint } | null = null;
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  readonly #snapshots: { index: number; term: number }[] = [];
  #entries: Entry[] = [];
  #term = 0;
  #lastIndex = 0;

  constructor(after: number) {
    this.#after = after;
  }

  addFile(name: string, bytes: Uint8Array, isLast: boolean): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at + lengthBytes <= bytes.length) {
      const high = view.getUint32(at + 4, true);
      const length = view.getUint32(at, true) + (high & 0xff_ffff) * 2 ** 32;
      if (length === 0 && high === 0) return; // space kept for more
      const padding = high >>> 31 === 1 ? (high >>> 24) & 7 : 0;
      const start = at + lengthBytes;
      const isCut = start + length + padding > bytes.length;
      if (isCut || !this.#addRecord(bytes.subarray(start, start + length))) {
        if (isLast && (isCut || isTorn(bytes, start, start + length))) return; // GW1
        throw new GoWalError(`${name}: the record at ${at} is damaged`);
      }
      at = start + length + padding;
    }
  }

  end(): GoWal {
    if (this.#metadata === null) throw new GoWalError("the WAL does not say whose it is");
    return {
      ...this.#metadata,
      hardState: this.#hardState,
      snapshots: this.#snapshots,
      entries: this.#entries,
      term: this.#term,
      lastIndex: this.#lastIndex,
    };
  }

  /** False: it is not what was written. */
  #addRecord(bytes: Uint8Array): boolean {
    const record = decodeRecord(bytes);
    if (record === null) return false;
    const { type, crc, data } = record;
    if (type === recordType.crc) {
      if (this.#crc !== 0 && crc !== this.#crc) return false;
      this.#crc = crc;
      return true;
    }
    const sum = nodeChecksum.crc32c(data, this.#crc);
    if (sum !== crc) return false;
    this.#crc = sum;
    this.#take(type, data);
    return true;
  }

  #take(type: number, data: Uint8Array): void {
    if (type === recordType.entry) this.#addEntry(decodeEntry(data));
    else if (type === recordType.state) this.#hardState = decodeHardState(data);
    else if (type === recordType.metadata) this.#metadata = decodeMetadata(data);
    else if (type === recordType.snapshot) this.#addMark(decodeMark(data));
    else throw new GoWalError(`a record of the unknown type ${type}`);
  }

  #addMark(mark: { index: number; term: number }): void {
    this.#snapshots.push(mark);
    this.#lastIndex = Math.max(this.#lastIndex, mark.index);
  }

  /** An entry takes the place of all from its index on. */
  #addEntry(entry: Entry): void {
    this.#lastIndex = entry.index;
    if (entry.index === this.#after) this.#term = entry.term;
    const at = entry.index - this.#after - 1;
    if (at < 0) {
      this.#entries = [];
      return;
    }
    if (at > this.#entries.length) {
      throw new GoWalError(`the WAL has no entry ${this.#after + this.#entries.length + 1}`);
    }
    this.#entries.length = at;
    this.#entries.push({ ...entry, data: entry.data.slice() });
  }
}

const sectorBytes = 512;

/** Whether some sector of the record was never written. */
function isTorn(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    const next = Math.min(end, at - (at % sectorBytes) + sectorBytes);
    if (bytes.subarray(at, next).every((byte) => byte === 0)) return true;
    at = next;
  }
  return false;
}

interface Record {
  readonly type: number;
  readonly crc: number;
  readonly data: Uint8Array;
}

function decodeRecord(bytes: Uint8Array): Record | null {
  let [type, crc] = [0, 0];
  let data = new Uint8Array(0);
  try {
    const r = new Reader(bytes);
    while (r.next()) {
      if (r.tag === 0x08) type = r.uint64();
      else if (r.tag === 0x10) crc = r.uint64();
      else if (r.tag === 0x1a) data = new Uint8Array(r.presentBytes());
      else r.skip();
    }
  } catch {
    return null;
  }
  return { type, crc, data };
}

/** Node and cluster: fields 1 and 2. */
function decodeMetadata(bytes: Uint8Array): { memberId: bigint; clusterId: bigint } {
  let [memberId, clusterId] = [0n, 0n];
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) memberId = r.bigUint64();
    else if (r.tag === 0x10) clusterId = r.bigUint64();
    else r.skip();
  }
  return { memberId, clusterId };
}

/** Index and term of a snapshot: fields 1 and 2; the configuration is field 3. */
function decodeMark(bytes: Uint8Array): { index: number; term: number } {
  let [index, term] = [0, 0];
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) index = r.uint64();
    else if (r.tag === 0x10) term = r.uint64();
    else r.skip();
  }
  return { index, term };
}

export interface NewGoWal {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** The state that the entries follow. */
  readonly snapshot: { readonly index: number; readonly term: number };
  readonly confState: ConfState;
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

/** Name of the first file of a log. */
export const firstWalName = `${"0".repeat(16)}-${"0".repeat(16)}.wal`;

/** The content of a log's only file, in pieces. */
export function* encodeGoWal(wal: NewGoWal): Generator<Uint8Array> {
  const { memberId, clusterId, snapshot, confState, hardState, entries } = wal;
  let crc = 0;
  const record = (type: number, write: (out: Writer) => void): Uint8Array => {
    const out = new Writer();
    write(out);
    const data = out.copy();
    crc = nodeChecksum.crc32c(data, crc);
    return encodeRecord(type, crc, data);
  };
  yield encodeRecord(recordType.crc, 0, new Uint8Array(0));
  yield record(recordType.metadata, (out) => {
    out.varint(0x08);
    out.bigVarint(memberId);
    out.varint(0x10);
    out.bigVarint(clusterId);
  });
  yield record(recordType.snapshot, (out) => {
    out.varint(0x08);
    out.varint(snapshot.index);
    out.varint(0x10);
    out.varint(snapshot.term);
    const mark = out.beginNested(0x1a);
    encodeConfState(out, confState);
    out.endNested(mark);
  });
  for (const entry of entries) {
    yield record(recordType.entry, (out) => {
      encodeEntry(out, entry);
    });
  }
  yield record(recordType.state, (out) => {
    encodeHardState(out, hardState);
  });
}

/** Frames begin at multiples of eight bytes; the highest byte of the length tells the padding. */
function encodeRecord(type: number, crc: number, data: Uint8Array): Uint8Array {
  const out = new Writer();
  out.varint(0x08);
  out.varint(type);
  out.varint(0x10);
  out.varint(crc);
  if (data.length > 0) out.bytesField(0x1a, data);
  const length = out.length;
  const padding = (lengthBytes - (length % lengthBytes)) % lengthBytes;
  const head = new Uint8Array(lengthBytes);
  const view = new DataView(head.buffer);
  view.setUint32(0, length, true);
  if (padding > 0) view.setUint8(7, 0x80 | padding);
  return concat([head, out.view(), new Uint8Array(padding)]);
}

/** The file that stands for a snapshot of the raft log: its place and configuration, checked. */
export function encodeSnapFile(snapshot: Uint8Array): Uint8Array {
  const out = new Writer();
  out.varint(0x08);
  out.varint(nodeChecksum.crc32c(snapshot, 0));
  out.bytesField(0x12, snapshot);
  return out.copy();
}

export function snapFileName(term: number, index: number): string {
  return `${hex16(term)}-${hex16(index)}.snap`;
}

export function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
