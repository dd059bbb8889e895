/**
 * From HEADERS and CONTINUATION frames to request heads and trailers.
 *
 * HR1  Between HEADERS without END_HEADERS and its last CONTINUATION no other frame is taken.
 * HR2  Every block is decoded, also of requests that are refused: the HPACK table must follow.
 * HR3  A block is bounded in bytes and in frames while it is collected, in fields while decoded.
 */
import { frameFlag, h2Error, readU32, streamIdMax } from "./frame.ts";
import { HeaderList, HpackDecoder } from "./hpack.ts";
import type { Http2Limits } from "./limits.ts";
import type { RequestHead } from "./request.ts";
import { areTrailers, buildHead, HeadCache } from "./request.ts";

const blockBytesFirst = 1024;
const priorityBytes = 5;

export class HeaderReader {
  /** The stream whose block is being collected, or 0 (HR1). */
  streamId = 0;
  /** END_STREAM was on the HEADERS frame. */
  endsStream = false;

  private readonly limits: Http2Limits;
  private readonly fail: (code: number, debug: string) => void;
  private readonly decoder = new HpackDecoder();
  private readonly list: HeaderList;
  private readonly heads = new HeadCache();
  private continuations = 0;
  private collected: Uint8Array | null = null;
  private collectedLength = 0;
  /** The whole block: `block[from..to)`. */
  private block: Uint8Array = new Uint8Array(0);
  private from = 0;
  private to = 0;

  constructor(limits: Http2Limits, fail: (code: number, debug: string) => void) {
    this.limits = limits;
    this.fail = fail;
    this.list = new HeaderList(limits.headerListBytesMax, limits.headerCountMax);
  }

  release(): void {
    this.collected = null;
    this.block = new Uint8Array(0);
  }

  /** A HEADERS frame. True: its block is whole, to be read before anything else. */
  begin(bytes: Uint8Array, at: number, length: number, flags: number, id: number): boolean {
    if ((id & 1) === 0) {
      this.fail(h2Error.protocol, "HEADERS on a stream not the client's");
      return false;
    }
    let start = at;
    let end = at + length;
    if ((flags & frameFlag.padded) !== 0) {
      end -= length > 0 ? bytes[at]! : 0;
      start++;
    }
    if ((flags & frameFlag.priority) !== 0) {
      const isWhole = start + priorityBytes <= at + length;
      if (isWhole && (readU32(bytes, start) & streamIdMax) === id) {
        this.fail(h2Error.protocol, "stream depends on itself");
        return false;
      }
      start += priorityBytes;
    }
    if (start > end) {
      const isShort = start > at + length;
      this.fail(isShort ? h2Error.frameSize : h2Error.protocol, "HEADERS padding");
      return false;
    }
    this.endsStream = (flags & frameFlag.endStream) !== 0;
    if ((flags & frameFlag.endHeaders) !== 0) {
      this.block = bytes;
      this.from = start;
      this.to = end;
      return true;
    }
    this.streamId = id;
    this.collectedLength = 0;
    this.continuations = 0;
    this.collect(bytes, start, end);
    return false;
  }

  /** A CONTINUATION frame. True: the block is whole. */
  continue(bytes: Uint8Array, at: number, length: number, flags: number): boolean {
    if (this.streamId === 0) {
      this.fail(h2Error.protocol, "CONTINUATION without HEADERS");
      return false;
    }
    if (++this.continuations > this.limits.continuationsMax) {
      this.fail(h2Error.enhanceYourCalm, "too_many_continuations");
      return false;
    }
    if (!this.collect(bytes, at, at + length)) return false;
    if ((flags & frameFlag.endHeaders) === 0) return false;
    this.block = this.collected!;
    this.from = 0;
    this.to = this.collectedLength;
    this.collected = null;
    this.streamId = 0;
    return true;
  }

  private collect(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.collectedLength + (end - start);
    if (length > this.limits.headerBlockBytesMax) {
      this.fail(h2Error.enhanceYourCalm, "header block too large");
      return false;
    }
    if (this.collected === null || this.collected.length < length) {
      const wider = new Uint8Array(Math.max(length * 2, blockBytesFirst));
      if (this.collected !== null) wider.set(this.collected.subarray(0, this.collectedLength));
      this.collected = wider;
    }
    this.collected.set(bytes.subarray(start, end), this.collectedLength);
    this.collectedLength = length;
    return true;
  }

  /**
   * The block as a request: its head, or the code of the stream error it makes. -1: the block does
   * not decode, the connection has failed.
   */
  readHead(): RequestHead | number {
    const generation = this.decoder.generation;
    const known = this.heads.find(this.block, this.from, this.to, generation);
    if (known !== null) return known;
    if (!this.decode()) return -1;
    // As grpc-go answers a header list over its bound.
    if (this.list.overflow) return h2Error.frameSize;
    const head = buildHead(this.list.fields);
    if (head === null) return h2Error.protocol;
    if (this.decoder.generation === generation) {
      this.heads.keep(this.block, this.from, this.to, generation, head);
    }
    return head;
  }

  /** The block behind a body. True: good trailers; -1: the connection has failed. */
  readTrailers(): boolean | -1 {
    if (!this.decode()) return -1;
    return !this.list.overflow && areTrailers(this.list.fields);
  }

  private decode(): boolean {
    this.list.clear();
    if (this.decoder.decode(this.block, this.from, this.to, this.list)) return true;
    this.fail(h2Error.compression, "header block does not decode");
    return false;
  }
}
