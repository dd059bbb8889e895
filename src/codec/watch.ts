/** Requests of the Watch service. */

import { concat, emptyBytes } from "../base/bytes.ts";
import type { WatchCreateRequest, WatchRequest } from "./messages.ts";
import { Reader } from "./reader.ts";

const filterNoPut = 0;
const filterNoDelete = 1;
const filtersRepeated = 1 << 5;

export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  const r = new Reader(bytes);
  let member = 0;
  let body: Uint8Array = emptyBytes;
  while (r.next()) {
    const { tag } = r;
    if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a) {
      r.skip();
      continue;
    }
    const part = r.presentBytes();
    body = tag === member ? concat([body, part]) : part;
    member = tag;
  }
  switch (member) {
    case 0x0a:
      return { kind: "create", create: decodeCreate(body) };
    case 0x12:
      return { kind: "cancel", watchId: decodeCancel(body) };
    case 0x1a:
      checkEmpty(body);
      return { kind: "progress" };
    default:
      return { kind: "none" };
  }
}

function decodeCreate(bytes: Uint8Array): WatchCreateRequest {
  const create: WatchCreateRequest = {
    key: emptyBytes,
    rangeEnd: emptyBytes,
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0,
    fragment: false,
  };
  const r = new Reader(bytes, filtersRepeated);
  while (r.next()) {
    switch (r.tag) {
      case 0x0a:
        create.key = r.bytes();
        break;
      case 0x12:
        create.rangeEnd = r.bytes();
        break;
      case 0x18:
        create.startRevision = r.int64();
        break;
      case 0x20:
        create.progressNotify = r.bool();
        break;
      default:
        readOption(r, create);
    }
  }
  return create;
}

function readOption(r: Reader, create: WatchCreateRequest): void {
  switch (r.tag) {
    case 0x28:
      addFilter(create, r.int32());
      return;
    case 0x2a:
      readPackedFilters(r.bytes(), create);
      return;
    case 0x30:
      create.prevKv = r.bool();
      return;
    case 0x38:
      create.watchId = r.int64();
      return;
    case 0x40:
      create.fragment = r.bool();
      return;
    default:
      r.skip();
  }
}

/** Packed is how proto3 writes them; one by one is read as well. */
function readPackedFilters(bytes: Uint8Array, create: WatchCreateRequest): void {
  const r = new Reader(bytes);
  while (!r.isAtEnd) addFilter(create, r.int32());
}

/** Unknown filters are ignored, as etcd does. */
function addFilter(create: WatchCreateRequest, filter: number): void {
  if (filter === filterNoPut) create.noPut = true;
  if (filter === filterNoDelete) create.noDelete = true;
}

function decodeCancel(bytes: Uint8Array): number {
  let watchId = 0;
  const r = new Reader(bytes);
  while (r.next()) {
    if (r.tag === 0x08) watchId = r.int64();
    else r.skip();
  }
  return watchId;
}

function checkEmpty(bytes: Uint8Array): void {
  const r = new Reader(bytes);
  while (r.next()) r.skip();
}
