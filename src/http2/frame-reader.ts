/**
 * Cuts the byte stream into frames: the preface first, then frames, whole ones straight from the
 * bytes read, those that come in pieces from a copy.
 *
 * FR1  A frame's length is judged before any memory is taken for it.
 * FR2  The bytes given to `receive` are not kept: pieces are copied.
 */
import { frameBytesDefault, frameHeaderBytes, h2Error, preface } from "./frame.ts";

export interface FrameTaker {
  /** One whole frame: its header is at `at`, `length` bytes of payload follow. */
  onFrame(bytes: Uint8Array, at: number, length: number): void;
  fail(code: number, debug: string): void;
  /** True once nothing more is to be read. */
  readonly over: boolean;
}

const partialBytesFirst = 64;

export class FrameReader {
  private readonly taker: FrameTaker;
  private prefaceSeen = 0;
  private partial: Uint8Array | null = null;
  private partialLength = 0;

  constructor(taker: FrameTaker) {
    this.taker = taker;
  }

  receive(bytes: Uint8Array): void {
    const taker = this.taker;
    const end = bytes.length;
    let at = 0;
    if (this.prefaceSeen < preface.length) at = this.readPreface(bytes);
    if (at >= 0 && this.partialLength > 0) at = this.completePartial(bytes, at);
    if (at < 0) return;
    while (end - at >= frameHeaderBytes) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      if (length > frameBytesDefault) {
        taker.fail(h2Error.frameSize, "frame too large");
        return;
      }
      const next = at + frameHeaderBytes + length;
      if (next > end) break;
      taker.onFrame(bytes, at, length);
      if (taker.over) return;
      at = next;
    }
    if (at < end) this.keepPartial(bytes, at);
  }

  release(): void {
    this.partial = null;
    this.partialLength = 0;
  }

  /** Where to go on, or -1 after a failure. */
  private readPreface(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.prefaceSeen < preface.length) {
      if (bytes[at] !== preface[this.prefaceSeen]) {
        this.taker.fail(h2Error.protocol, "bad preface");
        return -1;
      }
      at++;
      this.prefaceSeen++;
    }
    return at;
  }

  private keepPartial(bytes: Uint8Array, at: number): void {
    const count = bytes.length - at;
    if (this.partial === null || this.partial.length < count) {
      this.partial = new Uint8Array(Math.max(count, partialBytesFirst));
    }
    this.partial.set(at === 0 ? bytes : bytes.subarray(at), 0);
    this.partialLength = count;
  }

  /** Adds to the frame kept from before; returns where to go on, or -1 when nothing is left. */
  private completePartial(bytes: Uint8Array, at: number): number {
    at = this.fillPartial(bytes, at, frameHeaderBytes);
    if (this.partialLength < frameHeaderBytes) return -1;
    const head = this.partial!;
    const length = (head[0]! << 16) | (head[1]! << 8) | head[2]!;
    if (length > frameBytesDefault) {
      this.taker.fail(h2Error.frameSize, "frame too large"); // FR1
      return -1;
    }
    at = this.fillPartial(bytes, at, frameHeaderBytes + length);
    if (this.partialLength < frameHeaderBytes + length) return -1;
    const frame = this.partial!;
    this.release();
    this.taker.onFrame(frame, 0, length);
    return this.taker.over ? -1 : at;
  }

  private fillPartial(bytes: Uint8Array, at: number, wanted: number): number {
    const take = Math.min(wanted - this.partialLength, bytes.length - at);
    if (take <= 0) return at;
    if (this.partial!.length < wanted) {
      const wider = new Uint8Array(wanted);
      wider.set(this.partial!.subarray(0, this.partialLength));
      this.partial = wider;
    }
    this.partial!.set(bytes.subarray(at, at + take), this.partialLength); // FR2
    this.partialLength += take;
    return at + take;
  }
}
