/**
 * The start of a gRPC message that has not wholly arrived.
 *
 * PM1  Memory follows what came, at most double of it, not what was announced.
 * PM2  What the streams of a connection hold is counted in its `heldBytes` and bounded.
 */
import { copyInto, readU32 } from "./frame.ts";
import type { Http2Limits } from "./limits.ts";

/** Compressed flag and length in front of every message. */
export const prefixBytes = 5;
const bytesFirst = 4096;

export interface HeldCount {
  /** Bytes of unfinished messages its streams hold. */
  heldBytes: number;
  readonly limits: Http2Limits;
}

export class PartialMessage {
  /** `bytes[0..length)` came: the prefix, then the message. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  private readonly holder: HeldCount;

  constructor(holder: HeldCount) {
    this.holder = holder;
  }

  /** The prefix is there, so the message's length is known. */
  get hasPrefix(): boolean {
    return this.length >= prefixBytes;
  }

  /** The announced length; only with `hasPrefix`. */
  get messageBytes(): number {
    return readU32(this.bytes, 1);
  }

  get isWhole(): boolean {
    return this.hasPrefix && this.length === prefixBytes + this.messageBytes;
  }

  /**
   * Takes what is missing from `bytes[start..end)`: the prefix, or all behind it. Returns where the
   * rest starts, or -1 when there is no memory for it (PM2).
   */
  take(bytes: Uint8Array, start: number, end: number): number {
    const wanted = prefixBytes + (this.hasPrefix ? this.messageBytes : 0);
    const count = Math.min(wanted - this.length, end - start);
    if (!this.grow(this.length + count, wanted)) return -1;
    copyInto(this.bytes, this.length, bytes, start, start + count);
    this.length += count;
    return start + count;
  }

  private grow(needed: number, wanted: number): boolean {
    const capacity = this.bytes.length;
    if (needed <= capacity) return true;
    const next = Math.max(needed, Math.min(wanted, Math.max(capacity * 2, bytesFirst))); // PM1
    const holder = this.holder;
    if (holder.heldBytes + next - capacity > holder.limits.receiveBytesMax) return false;
    const wider = new Uint8Array(next);
    wider.set(this.bytes.subarray(0, this.length));
    this.bytes = wider;
    holder.heldBytes += next - capacity;
    return true;
  }

  /** Its bytes are not counted any more (PM2). Called once. */
  release(): void {
    this.holder.heldBytes -= this.bytes.length;
  }
}
