import { Reader } from "../../codec/reader.ts";
import type { HistorySource, MvccEvent } from "./types.ts";

const tagEvents = 0x5a; // WatchResponse.events = 11
const tagType = 0x08; // Event.type; DELETE = 1, PUT = 0 is left out
const tagKv = 0x12;
const tagPrevKv = 0x1a;
const tagCreateRevision = 0x10; // KeyValue.create_revision = 2

/** One event for all its watchers: each of its two wire forms is made once, when first needed. */
export class SharedEvent {
  readonly event: MvccEvent;
  private plainBytes: Uint8Array | null = null;
  private prevBytes: Uint8Array | null = null;

  constructor(event: MvccEvent) {
    this.event = event;
  }

  /** The whole `events` field of WatchResponse: tag, length, Event. */
  plain(): Uint8Array {
    return (this.plainBytes ??= encodeEvent(this.event, null));
  }

  withPrev(source: HistorySource): Uint8Array {
    return (this.prevBytes ??= this.encodeWithPrev(source));
  }

  private encodeWithPrev(source: HistorySource): Uint8Array {
    if (isCreate(this.event)) return this.plain();
    const prev = source.prevKeyValue(this.event.key, this.event.modRevision);
    return prev === null ? this.plain() : encodeEvent(this.event, prev);
  }
}

/**
 * The first put of a generation has no previous value, even where the transaction that made it
 * deleted the key first (as in Go, whose watchers ask the event and not the store).
 */
function isCreate(event: MvccEvent): boolean {
  if (event.isDelete) return false;
  const r = new Reader(event.kv);
  while (r.next()) {
    if (r.tag === tagCreateRevision) return r.int64() === event.modRevision;
    r.skip();
  }
  return false;
}

function encodeEvent(event: MvccEvent, prev: Uint8Array | null): Uint8Array {
  const { kv } = event;
  let size = (event.isDelete ? 2 : 0) + 1 + lengthSize(kv.length) + kv.length;
  if (prev !== null) size += 1 + lengthSize(prev.length) + prev.length;
  const out = new Uint8Array(1 + lengthSize(size) + size);
  out[0] = tagEvents;
  let at = putLength(out, 1, size);
  if (event.isDelete) {
    out[at++] = tagType;
    out[at++] = 1;
  }
  out[at++] = tagKv;
  at = putLength(out, at, kv.length);
  out.set(kv, at);
  at += kv.length;
  if (prev !== null) {
    out[at++] = tagPrevKv;
    at = putLength(out, at, prev.length);
    out.set(prev, at);
  }
  return out;
}

function lengthSize(length: number): number {
  let size = 1;
  for (let rest = length; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

function putLength(out: Uint8Array, from: number, length: number): number {
  let at = from;
  let rest = length;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}
