import { emptyBytes } from "../../base/bytes.ts";
import type { HeaderCodec } from "../../codec/header.ts";
import { varintSize, Writer } from "../../codec/writer.ts";
import type { GrpcCall } from "../../http2/types.ts";

/** Responses of up to this many bytes are copied into the output; larger ones go by reference. */
const copiedResponseBytesMax = 16 * 1024;

const tagWatchId = 0x10;
const tagCreated = 0x18;
const tagCanceled = 0x20;
const tagCompactRevision = 0x28;
const tagCancelReason = 0x32;
const tagFragment = 0x38;

const noChunks: readonly Uint8Array[] = [];
const utf8 = new TextEncoder();

/** How a response without events looks besides header and id. */
export interface ControlResponse {
  created?: boolean;
  canceled?: boolean;
  compactRevision?: number;
  cancelReason?: string;
}

/**
 * Writes WatchResponses. Watchers that get the same events one after the other share what was laid
 * out for the first: only the watch id in it is written anew.
 */
export class WatchEncoder {
  private readonly header: HeaderCodec;
  private readonly raftTerm: () => number;
  private readonly control = new Writer(256);
  private readonly out = new Writer();
  // What `out` holds: header, id at idOffset in idBytes bytes, then flag and events.
  private chunks = noChunks;
  private chunkBytes = 0;
  private revision = 0;
  private fragment = false;
  private idOffset = 0;
  private idBytes = -1;
  /** All of `out` as one view, which serves every watcher. */
  private whole: Uint8Array = emptyBytes;

  constructor(header: HeaderCodec, raftTerm: () => number) {
    this.header = header;
    this.raftTerm = raftTerm;
  }

  sendControl(call: GrpcCall, watchId: number, revision: number, what: ControlResponse): boolean {
    const out = this.control;
    out.reset();
    this.header.write(out, revision, this.raftTerm());
    writeId(out, watchId);
    if (what.created === true) writeFlag(out, tagCreated);
    if (what.canceled === true) writeFlag(out, tagCanceled);
    if (what.compactRevision !== undefined) {
      out.byte(tagCompactRevision);
      out.varint(what.compactRevision);
    }
    if (what.cancelReason !== undefined) {
      out.bytesField(tagCancelReason, utf8.encode(what.cancelReason));
    }
    return call.send(out.bytes, 0, out.length);
  }

  sendEvents(
    call: GrpcCall,
    watchId: number,
    revision: number,
    chunks: readonly Uint8Array[],
    fragment: boolean,
  ): boolean {
    const { out } = this;
    const idBytes = idSize(watchId);
    const isSame =
      chunks === this.chunks &&
      revision === this.revision &&
      fragment === this.fragment &&
      idBytes === this.idBytes;
    if (isSame) {
      const end = out.length;
      out.length = this.idOffset;
      writeId(out, watchId);
      out.length = end;
    } else {
      this.revision = revision;
      this.fragment = fragment;
      this.idBytes = idBytes;
      this.layOut(watchId, chunks);
    }
    const isWhole = this.chunkBytes <= copiedResponseBytesMax;
    if (isWhole) return call.send(this.whole, 0, out.length);
    return call.sendParts([out.copy(), ...chunks], out.length + this.chunkBytes);
  }

  /** Fills `out`; large events stay apart. */
  private layOut(watchId: number, chunks: readonly Uint8Array[]): void {
    const { out } = this;
    if (chunks !== this.chunks) {
      this.chunks = chunks;
      this.chunkBytes = 0;
      for (const chunk of chunks) this.chunkBytes += chunk.length;
    }
    out.reset();
    this.header.write(out, this.revision, this.raftTerm());
    this.idOffset = out.length;
    writeId(out, watchId);
    if (this.fragment) writeFlag(out, tagFragment);
    if (this.chunkBytes > copiedResponseBytesMax) return;
    for (const chunk of chunks) out.raw(chunk);
    this.whole = out.view();
  }
}

function writeFlag(out: Writer, tag: number): void {
  out.byte(tag);
  out.byte(1);
}

function writeId(out: Writer, watchId: number): void {
  if (watchId === 0) return;
  out.byte(tagWatchId);
  out.int64(watchId);
}

/** Bytes of the id's field; negative int64 take ten and the tag. */
function idSize(watchId: number): number {
  if (watchId === 0) return 0;
  return watchId < 0 ? 11 : 1 + varintSize(watchId);
}
