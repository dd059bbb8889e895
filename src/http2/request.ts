/** The head of a request: what a decoded header block says, checked by RFC 9113 section 8. */
import type { HeaderField } from "./header-field.ts";
import { fieldKind } from "./header-field.ts";

/** Never changes once built: equal header blocks share one. */
export class RequestHead {
  method = "";
  path = "";
  scheme = "";
  authority = "";
  host = "";
  /** ":authority" and "host" fields that came. */
  authorityCount = 0;
  hostCount = 0;
  contentType = "";
  /** -1 = not given. */
  contentLength = -1;
  /** As sent; "" = not given. */
  grpcTimeout = "";
  grpcEncoding = "";
  hasBinary = false;
  /** All fields but the pseudo-header fields, in order. */
  readonly fields: HeaderField[] = [];
  /** The dispatcher's own note on this head. */
  target: unknown = undefined;

  /** The first value of a field by lower-case name. */
  field(name: string): string | undefined {
    const fields = this.fields;
    for (let i = 0; i < fields.length; i++) {
      if (fields[i]!.name === name) return fields[i]!.value;
    }
    return undefined;
  }
}

/** The head of a request, or null when the fields make none: a stream error PROTOCOL_ERROR. */
export function buildHead(list: readonly HeaderField[]): RequestHead | null {
  const head = new RequestHead();
  let seen = 0;
  for (let i = 0; i < list.length; i++) {
    const field = list[i]!;
    const kind = field.kind;
    if (kind >= fieldKind.method && kind <= fieldKind.authority) {
      const bit = 1 << kind;
      // Pseudo-header fields come first, and once each; a second :authority is gRPC's to refuse.
      if (head.fields.length > 0) return null;
      if ((seen & bit) !== 0 && kind !== fieldKind.authority) return null;
      seen |= bit;
      setPseudo(head, field);
    } else {
      if (kind !== fieldKind.regular && !setSpecial(head, field)) return null;
      head.fields.push(field);
    }
  }
  const required = (1 << fieldKind.method) | (1 << fieldKind.scheme) | (1 << fieldKind.path);
  if ((seen & required) !== required || head.path.length === 0) return null;
  return head;
}

function setPseudo(head: RequestHead, field: HeaderField): void {
  switch (field.kind) {
    case fieldKind.method:
      head.method = field.value;
      break;
    case fieldKind.scheme:
      head.scheme = field.value;
      break;
    case fieldKind.path:
      head.path = field.value;
      break;
    default:
      head.authority = field.value;
      head.authorityCount++;
  }
}

/** Takes a field that means something to the transport. False: no request may have it. */
function setSpecial(head: RequestHead, field: HeaderField): boolean {
  switch (field.kind) {
    case fieldKind.contentType:
      head.contentType = field.value;
      return true;
    case fieldKind.contentLength: {
      if (!/^[0-9]{1,15}$/.test(field.value)) return false;
      const length = Number(field.value);
      if (head.contentLength >= 0 && head.contentLength !== length) return false;
      head.contentLength = length;
      return true;
    }
    case fieldKind.te:
      return field.value === "trailers";
    case fieldKind.host:
      head.host = field.value;
      head.hostCount++;
      return true;
    case fieldKind.grpcTimeout:
      head.grpcTimeout = field.value;
      return true;
    case fieldKind.grpcEncoding:
      head.grpcEncoding = field.value;
      return true;
    case fieldKind.binary:
      head.hasBinary = true;
      return true;
    default:
      return false; // forbidden, malformed, unknown pseudo
  }
}

/** True when the fields may stand behind a body. */
export function areTrailers(list: readonly HeaderField[]): boolean {
  return list.every((f) => f.kind === fieldKind.regular || f.kind >= fieldKind.contentType);
}

const cacheSlots = 4;
const cachedBlockBytesMax = 256;

/**
 * Remembers heads by the exact bytes of their header block. An entry counts only while the dynamic
 * table is the one it was decoded with, and only blocks that leave the table alone are kept (so
 * skipping their decoding changes nothing: HP1).
 */
export class HeadCache {
  private readonly blocks: (Uint8Array | null)[] = new Array<Uint8Array | null>(cacheSlots).fill(
    null,
  );
  private readonly heads: (RequestHead | null)[] = new Array<RequestHead | null>(cacheSlots).fill(
    null,
  );
  private generation = -1;
  private next = 0;

  find(bytes: Uint8Array, start: number, end: number, generation: number): RequestHead | null {
    if (this.generation !== generation) return null;
    const length = end - start;
    for (let slot = 0; slot < cacheSlots; slot++) {
      const block = this.blocks[slot];
      if (block === null || block === undefined || block.length !== length) continue;
      let i = length - 1;
      while (i >= 0 && block[i] === bytes[start + i]) i--;
      if (i < 0) return this.heads[slot]!;
    }
    return null;
  }

  keep(bytes: Uint8Array, start: number, end: number, generation: number, head: RequestHead): void {
    if (end - start > cachedBlockBytesMax) return;
    if (this.generation !== generation) {
      this.generation = generation;
      this.blocks.fill(null);
      this.heads.fill(null);
    }
    this.blocks[this.next] = bytes.slice(start, end);
    this.heads[this.next] = head;
    this.next = (this.next + 1) % cacheSlots;
  }
}
