/** What unary calls and streams have in common. */
import { grpcCode } from "../base/grpc-code.ts";
import type { ActiveCalls } from "./active-calls.ts";
import type { Balancer } from "./balancer.ts";
import type { Channel } from "./channel.ts";
import type { ClientSettings } from "./client-options.ts";
import { MalformedResponseError, MessageTooLargeError } from "./errors.ts";
import type { Ticket } from "./token.ts";

/** Where calls get their tokens from; without a user or for Authenticate itself: none. */
export interface Tickets {
  readonly ticket: Ticket | null;
  fetch(): Promise<void>;
  refused(ticket: Ticket): void;
  readonly user: unknown;
  readonly hasFixedToken: boolean;
}

export interface CallParts {
  readonly settings: ClientSettings;
  readonly balancer: Balancer;
  readonly active: ActiveCalls;
  readonly tickets: Tickets;
}

/** Compression flag and length in front of every message. */
const framingBytes = 5;

/** The message with its framing, in memory of its own. Throws MessageTooLargeError. */
export function frame(message: Uint8Array, bytesMax: number): Buffer {
  const { length } = message;
  if (length > bytesMax) {
    throw new MessageTooLargeError(
      grpcCode.resourceExhausted,
      `trying to send message larger than max (${length} vs. ${bytesMax})`,
    );
  }
  const framed = Buffer.allocUnsafe(framingBytes + length);
  framed[0] = 0;
  framed.writeUInt32BE(length, 1);
  framed.set(message, framingBytes);
  return framed;
}

/** Decodes a message with its framing. Throws MalformedResponseError. */
export function unframe<Response>(
  framed: Uint8Array,
  method: { readonly path: string; decode(bytes: Uint8Array): Response },
  channel: Channel,
): Response {
  try {
    if (framed[0] !== 0) throw new Error("compressed, though that was not asked for");
    return method.decode(
      new Uint8Array(framed.buffer, framed.byteOffset + framingBytes, framed.length - framingBytes),
    );
  } catch (error) {
    throw new MalformedResponseError(channel.endpoint, method.path, error);
  }
}
