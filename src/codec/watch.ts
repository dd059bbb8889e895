/** Requests of the Watch service. Split messages are merged, a later member replaces an earlier. */

import { emptyBytes } from "../base/bytes.ts";
import type { WatchCreateRequest, WatchRequest } from "./messages.ts";
import { Reader } from "./reader.ts";

const filterNoPut = 0;
const filterNoDelete = 1;

export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  const r = new Reader(bytes);
  let request: WatchRequest = { kind: "none" };
  while (r.next()) {
    switch (r.tag) {
      case 0x0a: {
        const create: WatchCreateRequest =
          request.kind === "create" ? request.create : emptyCreate();
        mergeCreate(create, r.presentBytes());
        request = { kind: "create", create };
        break;
      }
      case 0x12: {
        const before: number = request.kind === "cancel" ? request.watchId : 0;
        request = { kind: "cancel", watchId: mergeCancel(before, r.presentBytes()) };
        break;
      }
      case 0x1a:
        checkEmpty(r.presentBytes());
        request = { kind: "progress" };
        break;
      default:
        r.skip();
    }
  }
  return request;
}

function emptyCreate(): WatchCreateRequest {
  return {
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
}

function mergeCreate(create: WatchCreateRequest, bytes: Uint8Array): void {
  const r = new Reader(bytes);
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

function mergeCancel(before: number, bytes: Uint8Array): number {
  let watchId = before;
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
