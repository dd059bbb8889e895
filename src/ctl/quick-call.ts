// One gRPC call over a connection of its own, without TLS: HTTP/2 as far as that needs it. A start
// with grpc-js and node:http2 takes three times as long; whatever is not plain is left to them.
//
// QC1  `unsent` is said only when the server cannot have begun with the request: then it may be
//      sent again, whatever it is.
// QC2  Our header table has no room, so every header of the answer says itself what it means.
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface QuickRequest {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly message: Uint8Array;
  readonly timeoutMs: number;
}

/** How a call ended: `lost` may have been applied. */
export type QuickEnd =
  | { readonly kind: "answered"; readonly message: Uint8Array }
  | { readonly kind: "refused"; readonly code: number; readonly text: string }
  | { readonly kind: "unsent" | "lost" | "late" };

/** A larger message would have to wait for the server's window. */
export const quickBytesMax = 60_000;

const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, window: 8, more: 9 };
const flag = { end: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 };
const frameHeaderBytes = 9;
const frameBytesMax = 16_384;
const prefixBytes = 5;
const windowMax = 0x7fff_ffff;
const windowDefault = 65_535;
const refusedStream = 7;

const encoder = new TextEncoder();

export function quickCall(request: QuickRequest): Promise<QuickEnd> {
  return new Promise((resolve) => {
    const socket = connect({ host: request.host, port: request.port, noDelay: true });
    const call = new Call(socket, (end) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(end);
    });
    const timer = setTimeout(
      () => {
        call.end({ kind: call.isSent ? "late" : "unsent" });
      },
      Math.min(request.timeoutMs, windowMax),
    );
    socket.on("connect", () => {
      call.send(request);
    });
    socket.on("data", (chunk: Uint8Array) => {
      call.read(chunk);
    });
    const lose = (): void => {
      call.end({ kind: call.isSent ? "lost" : "unsent" });
    };
    socket.on("error", lose);
    socket.on("close", lose);
  });
}

class Call {
  isSent = false;
  readonly #socket: Socket;
  readonly #done: (end: QuickEnd) => void;
  #isDone = false;
  #rest = new Uint8Array(0);
  #block: Uint8Array[] = [];
  #body: Uint8Array[] = [];
  #isLast = false;
  readonly #headers = new Map<string, HeaderText>();

  constructor(socket: Socket, done: (end: QuickEnd) => void) {
    this.#socket = socket;
    this.#done = done;
  }

  end(end: QuickEnd): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#done(end);
  }

  send({ host, port, path, message, timeoutMs }: QuickRequest): void {
    this.isSent = true;
    const settings = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]; // QC2
    const isLimited = timeoutMs !== Infinity;
    const timeout = isLimited ? { "grpc-timeout": `${Math.ceil(timeoutMs)}m` } : {};
    const named = {
      te: "trailers",
      "content-type": "application/grpc",
      "client-api-version": "3.7",
      ...timeout,
    };
    const block = joined([
      [0x83, 0x86], // POST, http
      literal(4, path),
      literal(1, host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
      ...Object.entries(named).map(([name, value]) => joined([literal(0, name), string(value)])),
    ]);
    const body = joined([[0, ...u32(message.length)], message]);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < body.length; at += frameBytesMax) {
      const piece = body.subarray(at, at + frameBytesMax);
      const isLast = at + piece.length === body.length;
      pieces.push(frame(type.data, isLast ? flag.end : 0, 1, piece));
    }
    this.#socket.write(
      joined([
        encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        frame(type.settings, 0, 0, Uint8Array.from(settings)),
        frame(type.window, 0, 0, Uint8Array.from(u32(windowMax - windowDefault))),
        frame(type.headers, flag.endHeaders, 1, block),
        ...pieces,
      ]),
    );
  }

  read(chunk: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? chunk : joined([this.#rest, chunk]);
    while (!this.#isDone && bytes.length >= frameHeaderBytes) {
      const length = (bytes[0]! << 16) | (bytes[1]! << 8) | bytes[2]!;
      if (length > frameBytesMax) {
        this.end({ kind: "lost" }); // no HTTP/2
        return;
      }
      if (bytes.length < frameHeaderBytes + length) break;
      const payload = bytes.subarray(frameHeaderBytes, frameHeaderBytes + length);
      this.#take(bytes[3]!, bytes[4]!, payload);
      bytes = bytes.subarray(frameHeaderBytes + length);
    }
    this.#rest = bytes.slice();
  }

  #take(kind: number, flags: number, payload: Uint8Array): void {
    switch (kind) {
      case type.data:
        this.#body.push(unpadded(flags, payload).slice());
        if ((flags & flag.end) !== 0) void this.#finish();
        return;
      case type.headers:
        this.#isLast = (flags & flag.end) !== 0;
        this.#block = [];
        this.#takeBlock(flags, unpadded(flags, payload));
        return;
      case type.more:
        this.#takeBlock(flags, payload);
        return;
      case type.settings:
        if ((flags & flag.ack) === 0) this.#socket.write(frame(type.settings, flag.ack, 0, none));
        return;
      case type.ping:
        if ((flags & flag.ack) === 0) this.#socket.write(frame(type.ping, flag.ack, 0, payload));
        return;
      case type.reset:
        this.end({ kind: payload[3] === refusedStream ? "unsent" : "lost" }); // QC1
        return;
      case type.goAway: {
        const isBegun = (payload[0]! | payload[1]! | payload[2]! | payload[3]!) !== 0;
        if (!isBegun) this.end({ kind: "unsent" }); // QC1
      }
    }
  }

  #takeBlock(flags: number, piece: Uint8Array): void {
    this.#block.push(piece.slice());
    if ((flags & flag.endHeaders) === 0) return;
    if (!readHeaders(joined(this.#block), this.#headers)) this.end({ kind: "lost" });
    else if (this.#isLast) void this.#finish();
  }

  async #finish(): Promise<void> {
    const status = await textOf(this.#headers.get("grpc-status"));
    const message = await textOf(this.#headers.get("grpc-message"));
    const body = joined(this.#body);
    if (status === null) {
      this.end({ kind: "lost" }); // no gRPC server
    } else if (status !== "0") {
      this.end({ kind: "refused", code: Number(status), text: percentDecoded(message ?? "") });
    } else if (body.length < prefixBytes || body[0] !== 0) {
      this.end({ kind: "lost" });
    } else {
      this.end({ kind: "answered", message: body.subarray(prefixBytes) });
    }
  }
}

/** A text of a header as it stands in the block. */
interface HeaderText {
  readonly bytes: Uint8Array;
  /** In HPACK's Huffman code. */
  readonly isPacked: boolean;
}

/** Null when there is none or it cannot be read. The code's table is made when it is needed. */
async function textOf(text: HeaderText | undefined): Promise<string | null> {
  if (text === undefined) return null;
  const { bytes, isPacked } = text;
  if (!isPacked) return String.fromCharCode(...bytes);
  const { decodeHuffman } = await import("../http2/huffman.ts");
  return decodeHuffman(bytes, 0, bytes.length);
}

/** The headers asked for, plain and in the Huffman code. */
const wanted = new Map([
  ["grpc-status", "9acac8b21234da8f"],
  ["grpc-message", "9acac8b5254207317f"],
]);

function wantedName({ bytes, isPacked }: HeaderText): string | undefined {
  const plain = String.fromCharCode(...bytes);
  if (!isPacked) return wanted.has(plain) ? plain : undefined;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [...wanted].find(([, packed]) => packed === hex)?.[0];
}

const none = new Uint8Array(0);

function unpadded(flags: number, payload: Uint8Array): Uint8Array {
  const isPadded = (flags & flag.padded) !== 0;
  const padding = isPadded ? payload[0]! : 0;
  const start = (isPadded ? 1 : 0) + ((flags & flag.priority) === 0 ? 0 : 5);
  return payload.subarray(start, payload.length - padding);
}

/** Finds the headers asked for; false for a block that cannot be read. */
function readHeaders(block: Uint8Array, into: Map<string, HeaderText>): boolean {
  let at = 0;
  const number = (bits: number): number => {
    const mask = (1 << bits) - 1;
    let value = block[at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; at < block.length; shift += 7) {
      const byte = block[at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  const text = (): HeaderText => {
    const isPacked = (block[at]! & 0x80) !== 0;
    const length = number(7);
    at += length;
    return { bytes: block.subarray(at - length, at), isPacked };
  };
  while (at < block.length) {
    const byte = block[at]!;
    if (byte >= 0x80) {
      number(7); // of the static table: nothing of it is asked for
    } else if (byte >= 0x20 && byte < 0x40) {
      number(5); // a table size
    } else {
      const index = number(byte >= 0x40 ? 6 : 4);
      const name = index === 0 ? wantedName(text()) : undefined;
      const value = text();
      if (name !== undefined) into.set(name, value);
    }
  }
  return at === block.length;
}

function percentDecoded(text: string): string {
  const bytes = encoder.encode(text);
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const hex = text.slice(at + 1, at + 3);
    if (text[at] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      out.push(parseInt(hex, 16));
      at += 2;
    } else {
      out.push(bytes[at]!);
    }
  }
  return new TextDecoder().decode(Uint8Array.from(out));
}

/** A header whose name is in the static table, or spelled out at 0; not to be indexed. */
function literal(index: number, text: string): Uint8Array {
  return joined([[index], string(text)]);
}

function string(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  return joined([integer(bytes.length), bytes]);
}

function integer(value: number): number[] {
  const mask = 0x7f;
  if (value < mask) return [value];
  const bytes = [mask];
  let rest = value - mask;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

function frame(kind: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const length = u32(payload.length).slice(1);
  return joined([[...length, kind, flags, ...u32(stream)], payload]);
}

function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function joined(pieces: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const all = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
