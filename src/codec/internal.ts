/** InternalRaftRequest: the envelope of every proposal (wire.md 5). */

import { emptyBytes } from "../base/bytes.ts";
import type { InternalRequest } from "./messages.ts";
import { malformed, sharedReader, type Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const fieldId = 1;
const fieldHeader = 100;
const two32 = 0x1_0000_0000;

/**
 * Writes request `field` with `body`, and the header behind or before it as field numbers demand.
 * The id is `idHigh` (16 bits) and `idLow` (48 bits).
 */
export function encodeInternalRequest(
  out: Writer,
  field: number,
  body: Uint8Array,
  header: { idHigh: number; idLow: number; username: string; authRevision: number },
): void {
  if (field < fieldHeader) out.bytesField(field * 8 + 2, body);
  const mark = out.beginNested(fieldHeader * 8 + 2);
  writeId(out, header.idHigh, header.idLow);
  if (header.username !== "") out.bytesField(0x12, encoder.encode(header.username));
  if (header.authRevision !== 0) {
    out.byte(0x18);
    out.varint(header.authRevision);
  }
  out.endNested(mark);
  if (field > fieldHeader) out.bytesField(field * 8 + 2, body);
}

const encoder = new TextEncoder();

/** Tag 1 and the 64-bit id, from its halves without a bigint. */
function writeId(out: Writer, high16: number, low48: number): void {
  if (high16 === 0 && low48 === 0) return;
  out.byte(0x08);
  const high = ((high16 << 16) | Math.floor(low48 / two32)) >>> 0;
  out.varintOfHalves((low48 % two32) >>> 0, high);
}

/** @throws DecodeError for bytes that are no InternalRaftRequest with one request. */
export function decodeInternalRequest(bytes: Uint8Array): InternalRequest {
  const request: InternalRequest = {
    idHigh: 0,
    idLow: 0,
    username: "",
    authRevision: 0,
    field: 0,
    body: emptyBytes,
  };
  const r = sharedReader.open(bytes);
  while (r.next()) {
    const field = r.tag >>> 3;
    if (r.tag === fieldId * 8) {
      setId(request, r);
    } else if (r.tag === fieldHeader * 8 + 2) {
      readHeader(request, r.nested());
    } else if ((r.tag & 7) === 2) {
      if (request.field !== 0) throw malformed();
      request.field = field;
      request.body = r.presentBytes();
    } else {
      r.skip();
    }
  }
  if (request.field === 0) throw malformed();
  return request;
}

function readHeader(request: InternalRequest, r: Reader): void {
  while (r.next()) {
    switch (r.tag) {
      case 0x08:
        setId(request, r);
        break;
      case 0x12:
        request.username = r.string();
        break;
      case 0x18:
        request.authRevision = r.uint64();
        break;
      default:
        r.skip();
    }
  }
}

function setId(request: InternalRequest, r: Reader): void {
  r.readSplit64();
  request.idHigh = r.high16;
  request.idLow = r.low48;
}
