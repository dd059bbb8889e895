/**
 * What a message must be before raft sees it (etcd PR 17813): one that members send each other, to
 * us, from a member that was not removed, from the peer that sends it or passed on by it.
 */
import type { Message } from "../../raft/message.ts";
import type { RaftId } from "../../raft/types.ts";
import { checkEntries } from "./append-frames.ts";
import { isForwarded, mayTravel, messageType, messageTypeName } from "./message-type.ts";
import { hex } from "./peer-headers.ts";
import type { PeerInbound } from "./peer-options.ts";
import type { Logger } from "../../base/log.ts";

export interface MessageRefusal {
  readonly reason: string;
  /** Dropped without a word to the sender. */
  readonly isSilent: boolean;
}

/**
 * Null when raft may have it; else why not, logged already.
 *
 * @param sender the peer at the other end, if it is known
 * @throws FrameError for an append whose entries do not follow each other
 */
export function checkMessage(
  message: Message,
  sender: RaftId | null,
  { identity, events }: Pick<PeerInbound, "identity" | "events">,
  log: Logger,
): MessageRefusal | null {
  const { from, to, type } = message;
  const local = { "local-member-id": hex(identity.localId) };
  if (events.isRemoved(from)) {
    log.warn("rejected Raft message from removed member", {
      ...local,
      "removed-member-id": hex(from),
    });
    return { reason: "cannot process message from removed member", isSilent: false };
  }
  if (to !== identity.localId) {
    log.warn("rejected Raft message to mismatch member", {
      ...local,
      "mismatch-member-id": hex(to),
    });
    return { reason: "cannot process message to mismatch member", isSilent: false };
  }
  if (!mayTravel(type)) {
    log.warn("rejected local Raft message", { ...local, "message-type": messageTypeName(type) });
    return { reason: "local message", isSilent: true };
  }
  const isOther = from === identity.localId || (sender !== null && from !== sender);
  if (isOther && !isForwarded(type)) {
    log.warn("rejected Raft message from mismatch member", {
      ...local,
      "mismatch-member-id": hex(from),
      "remote-peer-id": sender === null ? "" : hex(sender),
    });
    return { reason: "cannot process message from mismatch member", isSilent: false };
  }
  checkEntries(message);
  return null;
}

/** A MsgSnap comes with its database file or not at all. */
export function isSnapshot(message: Message): boolean {
  return message.type === messageType.snap;
}
