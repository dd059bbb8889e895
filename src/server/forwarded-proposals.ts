// FP1  A message is held here or was given to raft, never both: raft has not seen what is held, so
//      no entry of it is in any log, and nothing is proposed twice.
// FP2  What is held is bounded in number, bytes and time. Beyond that it is dropped, as raft would
//      have dropped it at once: its request times out at the member that made it.

import type { Message } from "../raft/message.ts";

/** Most messages held, and most bytes of their entries (FP2). */
const heldMessagesMax = 4096;
const heldBytesMax = 16 * 1024 * 1024;

/** Proposals of other members that came while no leader was known, or while it handed over. */
export class ForwardedProposals {
  #messages: { readonly message: Message; readonly since: number }[] = [];
  #bytes = 0;

  hold(message: Message, nowMs: number): void {
    const bytes = bytesOf(message);
    const isFirst = this.#messages.length === 0;
    const isFull = this.#bytes + bytes > heldBytesMax || this.#messages.length >= heldMessagesMax;
    if (isFull && !isFirst) return; // FP2
    this.#messages.push({ message, since: nowMs });
    this.#bytes += bytes;
  }

  /** Everything held, oldest first. It is held no longer (FP1). */
  take(): readonly Message[] {
    if (this.#messages.length === 0) return nothing;
    const messages = this.#messages.map(({ message }) => message);
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }

  /** Drops what came up to then (FP2). */
  expire(untilMs: number): void {
    while (this.#messages.length > 0 && this.#messages[0]!.since <= untilMs) {
      this.#bytes -= bytesOf(this.#messages.shift()!.message);
    }
  }
}

const nothing: readonly Message[] = [];

function bytesOf({ entries }: Message): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}
