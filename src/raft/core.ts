import { assert } from "../base/assert.ts";
import { emptyConfState, isLearner, isVoter } from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { RaftLog } from "./log.ts";
import { createMessage, type Message, type MessageType } from "./message.ts";
import type { Storage } from "./storage.ts";
import type { ConfState, HardState, RaftId, ReadState, RoleName } from "./types.ts";

/** Where a node starts from: what it had synced and what it had applied. */
export interface RaftStart {
  readonly storage: Storage;
  readonly hardState: HardState;
  /** The configuration as of `applied`. */
  readonly confState: ConfState;
  /** Entries up to here were applied before the restart. */
  readonly applied: number;
}

/** The parts of a message that its kind decides; the sender is always this node. */
type Parts = Partial<Omit<Message, "type" | "to" | "from">>;

/** What every role of a node works with: its log, term and vote, configuration and outbox. */
export class RaftCore {
  readonly config: RaftConfig;
  readonly id: RaftId;
  readonly log: RaftLog;
  term: number;
  vote: RaftId;
  role: RoleName = "follower";
  leader: RaftId = 0n;
  /** Ticks since the leader was heard, the vote given, or a role's period began. */
  electionElapsed = 0;
  /** Messages that may leave at once, and those that must wait for the next Ready's sync. */
  messages: Message[] = [];
  messagesAfterSync: Message[] = [];
  readStates: ReadState[] = [];
  /** The newest configuration change in the log, or an index not below it (R5, R6). */
  pendingConfIndex = 0;
  #conf: ConfState = emptyConfState;
  #isAlone = false;

  constructor(config: RaftConfig, start: RaftStart) {
    this.config = config;
    this.id = config.id;
    this.log = new RaftLog(start.storage, start.hardState.commit, start.applied);
    this.term = start.hardState.term;
    this.vote = start.hardState.vote;
    this.conf = start.confState;
    // The log may hold a change that is not applied yet; until then it counts as pending.
    this.pendingConfIndex = this.log.lastIndex;
  }

  get conf(): ConfState {
    return this.#conf;
  }

  set conf(conf: ConfState) {
    const { voters, votersOutgoing, learners, learnersNext } = conf;
    const hasOthers = votersOutgoing.length > 0 || learners.length > 0 || learnersNext.length > 0;
    this.#conf = conf;
    this.#isAlone = voters.length === 1 && voters[0] === this.id && !hasOthers;
  }

  /** This node is the only member: it decides by itself and has nobody to talk to. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** This node is the only voter; there may be learners. */
  get isOnlyVoter(): boolean {
    const { voters, votersOutgoing } = this.#conf;
    return voters.length === 1 && voters[0] === this.id && votersOutgoing.length === 0;
  }

  /** Whether this node may be elected now. */
  get isPromotable(): boolean {
    if (this.log.hasPendingSnapshot) return false;
    return isVoter(this.#conf, this.id) && !isLearner(this.#conf, this.id);
  }

  /** Committed configuration changes wait to be applied. */
  get hasUnappliedConfChange(): boolean {
    return this.log.applied < Math.min(this.pendingConfIndex, this.log.commit);
  }

  /** Sends at once, as of the current term unless the parts name one. */
  send(type: MessageType, to: RaftId, parts: Parts): void {
    this.messages.push(this.#message(type, to, parts));
  }

  /** Sends when everything there is to sync by now is synced: the message promises it. */
  sendAfterSync(type: MessageType, to: RaftId, parts: Parts): void {
    this.messagesAfterSync.push(this.#message(type, to, parts));
  }

  /** Passes on another member's message; the answer goes to that member. */
  forward(message: Message, to: RaftId): void {
    this.messages.push({ ...message, to });
  }

  #message(type: MessageType, to: RaftId, parts: Parts): Message {
    assert(to !== this.id, () => `message ${type} to the sender itself`);
    return createMessage({ term: this.term, ...parts, type, to, from: this.id });
  }
}
