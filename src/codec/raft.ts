/**
 * raftpb (proto2, wire.md 5): what raft nodes send each other and keep in a WAL of Go etcd. Numbers
 * that tell where a node stands are written even if zero, as peers of every version understand;
 * what is absent when it does not apply (entry type, data, context, snapshot) is left out.
 */

import { emptyBytes } from "../base/bytes.ts";
import { DecodeError, Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

export interface Entry {
  /** 0 normal, 1 ConfChange, 2 ConfChangeV2. */
  readonly type: 0 | 1 | 2;
  readonly term: number;
  readonly index: number;
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}

export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

/** Without `vote` and `responses`, which never leave a node: passed over unread. */
export interface Message {
  /** A raftpb.MessageType. */
  readonly type: number;
  readonly to: bigint;
  readonly from: bigint;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: Uint8Array;
}

export interface ConfChangeSingle {
  /** 0 add, 1 remove, 2 update, 3 add learner. */
  readonly type: number;
  readonly nodeId: bigint;
}

export interface ConfChangeV2 {
  /** 0 auto, 1 joint implicit, 2 joint explicit. */
  readonly transition: number;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function encodeEntry(out: Writer, entry: Entry): void {
  if (entry.type !== 0) numberField(out, 0x08, entry.type);
  numberField(out, 0x10, entry.term);
  numberField(out, 0x18, entry.index);
  if (entry.data.length > 0) out.bytesField(0x22, entry.data);
}

export function decodeEntry(bytes: Uint8Array): Entry {
  const entry: Mutable<Entry> = { type: 0, term: 0, index: 0, data: emptyBytes };
  const r = new Reader(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        entry.type = entryType(r.int32());
        break;
      case 0x10:
        entry.term = safeNumber(r);
        break;
      case 0x18:
        entry.index = safeNumber(r);
        break;
      case 0x22:
        entry.data = r.bytes();
        break;
      default:
        r.skip();
    }
  }
  return entry;
}

export function encodeHardState(out: Writer, state: HardState): void {
  numberField(out, 0x08, state.term);
  idField(out, 0x10, state.vote);
  numberField(out, 0x18, state.commit);
}

export function decodeHardState(bytes: Uint8Array): HardState {
  const state: Mutable<HardState> = { term: 0, vote: 0n, commit: 0 };
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) state.term = safeNumber(r);
    else if (r.tag === 0x10) state.vote = r.bigUint64();
    else if (r.tag === 0x18) state.commit = safeNumber(r);
    else r.skip();
  }
  return state;
}

export function encodeConfState(out: Writer, state: ConfState): void {
  for (const id of state.voters) idField(out, 0x08, id);
  for (const id of state.learners) idField(out, 0x10, id);
  for (const id of state.votersOutgoing) idField(out, 0x18, id);
  for (const id of state.learnersNext) idField(out, 0x20, id);
  boolField(out, 0x28, state.autoLeave);
}

export function decodeConfState(bytes: Uint8Array): ConfState {
  const state = emptyConfState();
  mergeConfState(state, bytes);
  return state;
}

interface ConfStateParts {
  readonly voters: bigint[];
  readonly learners: bigint[];
  readonly votersOutgoing: bigint[];
  readonly learnersNext: bigint[];
  autoLeave: boolean;
}

function emptyConfState(): ConfStateParts {
  return { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

function mergeConfState(state: ConfStateParts, bytes: Uint8Array): void {
  const lists = [state.voters, state.learners, state.votersOutgoing, state.learnersNext];
  const r = new Reader(bytes);
  while (r.next()) {
    const list = lists[(r.tag >>> 3) - 1];
    const wire = r.tag & 7;
    if (list !== undefined && wire === 0) list.push(r.bigUint64());
    else if (list !== undefined && wire === 2) readPacked(r.bytes(), list);
    else if (r.tag === 0x28) state.autoLeave = r.bool();
    else r.skip();
  }
}

function readPacked(bytes: Uint8Array, list: bigint[]): void {
  const r = new Reader(bytes);
  while (!r.isAtEnd) list.push(r.bigUint64());
}

export function encodeSnapshotMetadata(out: Writer, metadata: SnapshotMetadata): void {
  const mark = out.beginNested(0x0a);
  encodeConfState(out, metadata.confState);
  out.endNested(mark);
  numberField(out, 0x10, metadata.index);
  numberField(out, 0x18, metadata.term);
}

export function encodeSnapshot(out: Writer, snapshot: Snapshot): void {
  if (snapshot.data.length > 0) out.bytesField(0x0a, snapshot.data);
  const mark = out.beginNested(0x12);
  encodeSnapshotMetadata(out, snapshot.metadata);
  out.endNested(mark);
}

interface SnapshotParts {
  readonly metadata: { readonly confState: ConfStateParts; index: number; term: number };
  data: Uint8Array;
}

function emptySnapshot(): SnapshotParts {
  return { metadata: { confState: emptyConfState(), index: 0, term: 0 }, data: emptyBytes };
}

export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const snapshot = emptySnapshot();
  mergeSnapshot(snapshot, bytes);
  return snapshot;
}

function mergeSnapshot(snapshot: SnapshotParts, bytes: Uint8Array): void {
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x0a) snapshot.data = r.bytes();
    else if (r.tag === 0x12) mergeMetadata(snapshot.metadata, r.presentBytes());
    else r.skip();
  }
}

export function decodeSnapshotMetadata(bytes: Uint8Array): SnapshotMetadata {
  const { metadata } = emptySnapshot();
  mergeMetadata(metadata, bytes);
  return metadata;
}

function mergeMetadata(metadata: SnapshotParts["metadata"], bytes: Uint8Array): void {
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x0a) mergeConfState(metadata.confState, r.presentBytes());
    else if (r.tag === 0x10) metadata.index = safeNumber(r);
    else if (r.tag === 0x18) metadata.term = safeNumber(r);
    else r.skip();
  }
}

export function encodeMessage(out: Writer, message: Message): void {
  numberField(out, 0x08, message.type);
  idField(out, 0x10, message.to);
  idField(out, 0x18, message.from);
  numberField(out, 0x20, message.term);
  numberField(out, 0x28, message.logTerm);
  numberField(out, 0x30, message.index);
  for (const entry of message.entries) {
    const mark = out.beginNested(0x3a);
    encodeEntry(out, entry);
    out.endNested(mark);
  }
  numberField(out, 0x40, message.commit);
  if (message.snapshot !== null) {
    const mark = out.beginNested(0x4a);
    encodeSnapshot(out, message.snapshot);
    out.endNested(mark);
  }
  boolField(out, 0x50, message.reject);
  numberField(out, 0x58, message.rejectHint);
  if (message.context.length > 0) out.bytesField(0x62, message.context);
}

type MessageParts = Mutable<Message> & { entries: Entry[]; snapshot: SnapshotParts | null };

/** @throws DecodeError also for numbers from 2^53 on and unknown entry types. */
export function decodeMessage(bytes: Uint8Array): Message {
  const message: MessageParts = {
    type: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: null,
    reject: false,
    rejectHint: 0,
    context: emptyBytes,
  };
  const r = new Reader(bytes);
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        message.type = r.int32();
        break;
      case 0x10:
        message.to = r.bigUint64();
        break;
      case 0x18:
        message.from = r.bigUint64();
        break;
      case 0x20:
        message.term = safeNumber(r);
        break;
      default:
        readMessageRest(r, message);
    }
  }
  return message;
}

function readMessageRest(r: Reader, message: MessageParts): void {
  switch (r.tag) {
    case 0x28:
      message.logTerm = safeNumber(r);
      return;
    case 0x30:
      message.index = safeNumber(r);
      return;
    case 0x3a:
      message.entries.push(decodeEntry(r.presentBytes()));
      return;
    case 0x40:
      message.commit = safeNumber(r);
      return;
    case 0x4a:
      message.snapshot ??= emptySnapshot();
      mergeSnapshot(message.snapshot, r.presentBytes());
      return;
    case 0x50:
      message.reject = r.bool();
      return;
    case 0x58:
      message.rejectHint = safeNumber(r);
      return;
    case 0x62:
      message.context = r.bytes();
      return;
    default:
      r.skip();
  }
}

export function encodeConfChangeV2(out: Writer, change: ConfChangeV2): void {
  if (change.transition !== 0) numberField(out, 0x08, change.transition);
  for (const single of change.changes) {
    const mark = out.beginNested(0x12);
    numberField(out, 0x08, single.type);
    idField(out, 0x10, single.nodeId);
    out.endNested(mark);
  }
  if (change.context.length > 0) out.bytesField(0x1a, change.context);
}

export function decodeConfChangeV2(bytes: Uint8Array): ConfChangeV2 {
  const changes: ConfChangeSingle[] = [];
  let transition = 0;
  let context: Uint8Array = emptyBytes;
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) transition = r.int32();
    else if (r.tag === 0x12) changes.push(decodeSingle(r.presentBytes()));
    else if (r.tag === 0x1a) context = r.bytes();
    else r.skip();
  }
  return { transition, changes, context };
}

function decodeSingle(bytes: Uint8Array): ConfChangeSingle {
  const single: Mutable<ConfChangeSingle> = { type: 0, nodeId: 0n };
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) single.type = r.int32();
    else if (r.tag === 0x10) single.nodeId = r.bigUint64();
    else r.skip();
  }
  return single;
}

function entryType(type: number): 0 | 1 | 2 {
  if (type === 0 || type === 1 || type === 2) return type;
  throw new DecodeError(`raft entry of unknown type ${type}`);
}

/** Terms and indexes count in steps of one: a number from 2^53 on is no honest one. */
function safeNumber(r: Reader): number {
  const value = r.uint64();
  if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError("raft number beyond 2^53");
  return value;
}

function numberField(out: Writer, tag: number, value: number): void {
  out.byte(tag);
  out.varint(value);
}

function idField(out: Writer, tag: number, value: bigint): void {
  out.byte(tag);
  out.bigVarint(value);
}

function boolField(out: Writer, tag: number, value: boolean): void {
  out.byte(tag);
  out.byte(value ? 1 : 0);
}
