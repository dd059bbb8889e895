/** The Watch service as a client speaks it: requests are written, responses read. */
import { emptyBytes } from "../../base/bytes.ts";
import { Reader } from "../reader.ts";
import { Writer } from "../writer.ts";
import { emptyHeader, readHeader } from "./header.ts";
import { makeKeyValue, readKeyValue } from "./key-value.ts";
import type { Header, KeyValue } from "./results.ts";

/** What a new watch asks for. Every field is its wire value. */
export interface WatchCreate {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  /** Chosen by the client; 0 leaves the choice to the server. */
  readonly watchId: number;
}

export type WatchMessage =
  | { readonly kind: "create"; readonly create: WatchCreate }
  | { readonly kind: "cancel"; readonly watchId: number }
  | { readonly kind: "progress" };

/** One change of one key. */
export interface WatchEvent {
  readonly type: "put" | "delete";
  readonly kv: KeyValue;
  /** What the key held before, if asked for, there and not compacted away. */
  readonly prevKv: KeyValue | null;
  /** The key did not exist before this change. */
  readonly isCreate: boolean;
}

export interface WatchResponse {
  readonly header: Header;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Above 0: the watch ended because history up to here is gone. */
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** More responses follow that belong to this one. */
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
  /** Length of the message, as a measure of what it holds in memory. */
  readonly sizeBytes: number;
}

const filterNoPut = 0;
const filterNoDelete = 1;
const eventDelete = 1;
const eventsRepeated = 1 << 11;

const out = new Writer(256);

export function encodeWatchMessage(message: WatchMessage): Uint8Array {
  out.reset();
  switch (message.kind) {
    case "create": {
      const mark = out.beginNested(0x0a);
      writeCreate(message.create);
      out.endNested(mark);
      break;
    }
    case "cancel": {
      const mark = out.beginNested(0x12);
      writeNumber(0x08, message.watchId);
      out.endNested(mark);
      break;
    }
    case "progress":
      out.bytesField(0x1a, emptyBytes);
  }
  return out.copy();
}

function writeCreate(create: WatchCreate): void {
  if (create.key.length > 0) out.bytesField(0x0a, create.key);
  if (create.rangeEnd.length > 0) out.bytesField(0x12, create.rangeEnd);
  writeNumber(0x18, create.startRevision);
  writeFlag(0x20, create.progressNotify);
  writeFilters(create);
  writeFlag(0x30, create.prevKv);
  writeNumber(0x38, create.watchId);
  writeFlag(0x40, create.fragment);
}

function writeFilters({ noPut, noDelete }: WatchCreate): void {
  if (!noPut && !noDelete) return;
  const mark = out.beginNested(0x2a);
  if (noPut) out.byte(filterNoPut);
  if (noDelete) out.byte(filterNoDelete);
  out.endNested(mark);
}

function writeNumber(tag: number, value: number): void {
  if (value === 0) return;
  out.byte(tag);
  out.int64(value);
}

function writeFlag(tag: number, value: boolean): void {
  if (!value) return;
  out.byte(tag);
  out.byte(1);
}

const noEvents: readonly WatchEvent[] = Object.freeze([]);
const reader = new Reader(emptyBytes);

/** The events hold views of `bytes`, which must not change any more. */
export function decodeWatchResponse(bytes: Uint8Array): WatchResponse {
  let header = emptyHeader;
  let watchId = 0;
  let created = false;
  let canceled = false;
  let compactRevision = 0;
  let cancelReason = "";
  let fragment = false;
  let events: WatchEvent[] | null = null;
  const r = reader.open(bytes, eventsRepeated);
  while (r.next()) {
    switch (r.tag) {
      case 0x5a: {
        const event = readEvent(r.nested());
        if (events === null) events = [event];
        else events.push(event);
        break;
      }
      case 0x0a:
        header = readHeader(r.nested());
        break;
      case 0x10:
        watchId = r.int64();
        break;
      case 0x18:
        created = r.bool();
        break;
      case 0x20:
        canceled = r.bool();
        break;
      case 0x28:
        compactRevision = r.int64();
        break;
      case 0x32:
        cancelReason = r.string();
        break;
      case 0x38:
        fragment = r.bool();
        break;
      default:
        r.skip();
    }
  }
  return {
    header,
    watchId,
    created,
    canceled,
    compactRevision,
    cancelReason,
    fragment,
    events: events ?? noEvents,
    sizeBytes: bytes.length,
  };
}

function readEvent(r: Reader): WatchEvent {
  let isDelete = false;
  let kv: KeyValue | null = null;
  let prevKv: KeyValue | null = null;
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        isDelete = r.int32() === eventDelete;
        break;
      case 0x12:
        kv = readKeyValue(r.nested());
        break;
      case 0x1a:
        prevKv = readKeyValue(r.nested());
        break;
      default:
        r.skip();
    }
  }
  kv ??= emptyKeyValue;
  const isCreate = !isDelete && kv.createRevision === kv.modRevision;
  return { type: isDelete ? "delete" : "put", kv, prevKv, isCreate };
}

/** Of an event without one, which no server sends. */
const emptyKeyValue = makeKeyValue(emptyBytes, emptyBytes, {
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: 0n,
});
