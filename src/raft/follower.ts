import { checkedConfState, ConfChangeError, isMember } from "./conf-change.ts";
import type { RaftCore } from "./core.ts";
import { MessageType, type Message } from "./message.ts";
import { decodeReadContext, encodeReadContext } from "./read-index.ts";
import { EntryType } from "./types.ts";
import type { Entry, RaftId, SnapshotMetadata } from "./types.ts";

// FO1  An acknowledgement leaves only when what it acknowledges is synced.
// FO2  A message that contradicts itself changes nothing.
// FO3  A snapshot is taken only if it brings us forward, holds us as a member, and our log does not
//      have its last entry.

/** What a member does that follows a leader: takes over its log, and passes requests on to it. */
export class Follower {
  readonly #core: RaftCore;
  /** Proposals of this turn: they share a message. */
  #proposals: Entry[] = [];
  #proposalBytes = 0;

  constructor(core: RaftCore) {
    this.#core = core;
  }

  handleAppend(message: Message): void {
    const { log } = this.#core;
    const { from, index, logTerm, entries } = message;
    if (!isConsistent(message)) return; // FO2
    if (index < log.commit) {
      this.#acknowledge(from, log.commit);
      return;
    }
    if (!log.append(index, logTerm, entries)) {
      this.#reject(message);
      return;
    }
    const last = index + entries.length;
    const change = entries.findLast(({ type }) => type !== EntryType.normal);
    // An append may come twice: what is known of later entries stays.
    if (change !== undefined && change.index > this.#core.pendingConfIndex) {
      this.#core.pendingConfIndex = change.index;
    }
    log.commitTo(Math.min(message.commit, last));
    this.#acknowledge(from, last);
  }

  handleHeartbeat(message: Message): void {
    const { from, commit, context } = message;
    this.#core.log.commitTo(commit);
    this.#core.send(MessageType.heartbeatResponse, from, { context });
  }

  handleSnapshot(message: Message): void {
    const { log } = this.#core;
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined) return; // FO2
    if (this.#restore(metadata)) this.#acknowledge(message.from, log.lastIndex);
    else this.#acknowledge(message.from, log.commit);
  }

  /** The leader's answer to a read of ours. */
  handleReadIndexResponse(message: Message): void {
    const entry = message.entries[0];
    if (entry === undefined || message.entries.length > 1) return; // FO2
    const context = decodeReadContext(this.#core.id, entry.data);
    if (context >= 0) this.#core.readStates.push({ context, index: message.index });
  }

  /** Asks the leader for a read index. */
  forwardRead(leader: RaftId, context: number): void {
    const data = encodeReadContext(this.#core.id, context);
    const entries = [{ type: EntryType.normal, term: 0, index: 0, data }];
    this.#core.send(MessageType.readIndex, leader, { term: 0, entries });
  }

  /** Keeps a proposal for the leader until the turn ends. */
  forwardProposal(type: EntryType, data: Uint8Array): void {
    this.#proposals.push({ type, term: 0, index: 0, data });
    this.#proposalBytes += data.length;
    if (this.#proposalBytes >= this.#core.config.messageBytesMax) this.flush();
  }

  get isDue(): boolean {
    return this.#proposals.length > 0;
  }

  /** Sends the turn's proposals; without a leader they are lost, as a message might be. */
  flush(): void {
    if (this.#proposals.length === 0) return;
    const entries = this.#proposals;
    const { leader, id } = this.#core;
    this.#proposals = [];
    this.#proposalBytes = 0;
    if (leader === 0n || leader === id) return;
    this.#core.send(MessageType.propose, leader, { term: 0, entries });
  }

  #acknowledge(leader: RaftId, index: number): void {
    this.#core.sendAfterSync(MessageType.appendResponse, leader, { index }); // FO1
  }

  /** The leader's entry before the new ones is not in our log: where might the logs agree? */
  #reject(message: Message): void {
    const { log } = this.#core;
    const { from, index } = message;
    // Where our terms are above the leader's, the logs cannot agree: whole terms are skipped.
    const hint = log.lastIndexWithin(Math.min(index, log.lastIndex), message.logTerm);
    const parts = { index, reject: true, rejectHint: hint.index, logTerm: hint.term };
    this.#core.sendAfterSync(MessageType.appendResponse, from, parts);
  }

  /** False: the snapshot is of no use (FO3). */
  #restore(metadata: SnapshotMetadata): boolean {
    const core = this.#core;
    const { index, term } = metadata;
    if (index <= core.log.commit) return false;
    const confState = readConfState(metadata);
    if (confState === null || !isMember(confState, core.id)) return false;
    if (core.log.term(index) === term) {
      core.log.commitTo(index); // the log has it all, and now it is known to be committed
      return false;
    }
    core.log.restore({ ...metadata, confState });
    core.conf = confState;
    return true;
  }
}

/** The configuration of a snapshot from elsewhere; null if it contradicts itself. */
function readConfState(metadata: SnapshotMetadata): SnapshotMetadata["confState"] | null {
  try {
    return checkedConfState(metadata.confState);
  } catch (error) {
    if (error instanceof ConfChangeError) return null;
    throw error;
  }
}

/** Entries follow each other, from the one they are said to follow, in a log of this term. */
function isConsistent(message: Message): boolean {
  let { index, logTerm: term } = message;
  for (const entry of message.entries) {
    if (entry.index !== ++index || entry.term < term) return false;
    term = entry.term;
  }
  return term <= message.term;
}
