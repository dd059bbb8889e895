/** HTTP/2 frames (RFC 9113 section 6): numbers, and how they are written into an output buffer. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlag = {
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const h2Error = {
  noError: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  connect: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const frameHeaderBytes = 9;
/** The size every peer must take, and the size we take. */
export const frameBytesDefault = 16384;
export const frameBytesLargest = 16777215;
export const windowBytesDefault = 65535;
export const windowBytesMax = 0x7fffffff;
export const streamIdMax = 0x7fffffff;

const prefaceText = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const preface = Uint8Array.from(prefaceText, (c) => c.charCodeAt(0));

/** A growing byte buffer: what leaves a connection in one write. */
export class OutputBuffer {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes. Doubles, so appending stays linear. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) this.grow(needed);
  }

  private grow(needed: number): void {
    let capacity = this.bytes.length < 256 ? 256 : this.bytes.length;
    while (capacity < needed) capacity *= 2;
    const wider = new Uint8Array(capacity);
    wider.set(this.bytes.subarray(0, this.length));
    this.bytes = wider;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.grow(this.length + 1);
    this.bytes[this.length++] = value;
  }

  append(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** Copies `source[start..end)`. Short runs by hand: a native copy costs more than they do. */
  appendRange(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    copyInto(this.bytes, this.length, source, start, end);
    this.length += count;
  }

  u32(value: number): void {
    this.reserve(4);
    writeU32(this.bytes, this.length, value);
    this.length += 4;
  }
}

const copyByHandMax = 64;

/** Copies `source[start..end)` to `target[at..)`. */
export function copyInto(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > copyByHandMax) {
    const whole = start === 0 && end === source.length;
    target.set(whole ? source : source.subarray(start, end), at);
    return;
  }
  for (let i = start; i < end; i++) target[at++] = source[i]!;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a frame header at `at`, where nine bytes must be free. */
export function putFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  typeAndFlags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = typeAndFlags >>> 8;
  bytes[at + 4] = typeAndFlags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
}

export function writeFrameHeader(
  out: OutputBuffer,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out.reserve(frameHeaderBytes);
  putFrameHeader(out.bytes, out.length, length, (type << 8) | flags, streamId);
  out.length += frameHeaderBytes;
}

export function writeSettings(
  out: OutputBuffer,
  settings: readonly (readonly [id: number, value: number])[],
): void {
  writeFrameHeader(out, settings.length * 6, frameType.settings, 0, 0);
  for (const [id, value] of settings) {
    out.byte(id >>> 8);
    out.byte(id & 0xff);
    out.u32(value);
  }
}

export function writeSettingsAck(out: OutputBuffer): void {
  writeFrameHeader(out, 0, frameType.settings, frameFlag.ack, 0);
}

/** `data[start..start+8)` is the ping's opaque content. */
export function writePing(out: OutputBuffer, ack: boolean, data: Uint8Array, start: number): void {
  writeFrameHeader(out, 8, frameType.ping, ack ? frameFlag.ack : 0, 0);
  out.appendRange(data, start, start + 8);
}

export function writeRstStream(out: OutputBuffer, streamId: number, code: number): void {
  writeFrameHeader(out, 4, frameType.rstStream, 0, streamId);
  out.u32(code);
}

export function writeWindowUpdate(out: OutputBuffer, streamId: number, increment: number): void {
  writeFrameHeader(out, 4, frameType.windowUpdate, 0, streamId);
  out.u32(increment);
}

export function writeGoAway(
  out: OutputBuffer,
  lastStreamId: number,
  code: number,
  debug: string,
): void {
  writeFrameHeader(out, 8 + debug.length, frameType.goAway, 0, 0);
  out.u32(lastStreamId);
  out.u32(code);
  for (let i = 0; i < debug.length; i++) out.byte(debug.charCodeAt(i));
}

/**
 * Ends a header block that was written from `start` on, behind nine reserved bytes: fills in the
 * HEADERS frame header, and cuts the block into CONTINUATION frames where it is longer than
 * `frameBytesMax`.
 */
export function endHeaderBlock(
  out: OutputBuffer,
  start: number,
  streamId: number,
  endStream: boolean,
  frameBytesMax: number,
): void {
  const blockAt = start + frameHeaderBytes;
  const length = out.length - blockAt;
  const flags = endStream ? frameFlag.endStream : 0;
  if (length <= frameBytesMax) {
    const typeAndFlags = (frameType.headers << 8) | frameFlag.endHeaders | flags;
    putFrameHeader(out.bytes, start, length, typeAndFlags, streamId);
    return;
  }
  const block = out.bytes.slice(blockAt, out.length);
  out.length = start;
  for (let at = 0; at < length; at += frameBytesMax) {
    const end = at + frameBytesMax < length ? at + frameBytesMax : length;
    const type = at === 0 ? frameType.headers : frameType.continuation;
    const last = end === length ? frameFlag.endHeaders : 0;
    writeFrameHeader(out, end - at, type, last | (at === 0 ? flags : 0), streamId);
    out.appendRange(block, at, end);
  }
}
