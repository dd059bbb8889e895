import { assert } from "../base/assert.ts";
import { applyConfChange, applySimpleChange, type ConfChangeV2 } from "./conf-change.ts";
import { validateConfig, type RaftConfig } from "./config.ts";
import { RaftCore, type RaftStart } from "./core.ts";
import { Election } from "./election.ts";
import { Follower } from "./follower.ts";
import { Leader, type ProposeResult } from "./leader.ts";
import { createMessage, MessageType, type ConfChange, type Message } from "./message.ts";
import type { VoteResult } from "./quorum.ts";
import type { MemberProgress } from "./status.ts";
import { EntryType } from "./types.ts";
import type { ConfState, Entry, HardState, RaftId } from "./types.ts";

// R1  A vote counts, our own too, only when the term and vote behind it are synced.
// R2 to R5, R7, R8 are the leader's (leader.ts).
// R6  A node does not campaign while it has committed configuration changes to apply.
// R9  The term never goes back; there is leader state if and only if the role is leader.

const noData = new Uint8Array(0);

/** One more than the largest read context: they travel in six bytes. */
const readContextEnd = 2 ** 48;

/** Ticks over which followers spread their campaigns when the connection to the leader is lost. */
const lostLeaderSpread = 3;

/** The roles and their changes. Pure: input is a call or a tick, output is read through RawNode. */
export class Raft {
  readonly core: RaftCore;
  readonly #election: Election;
  readonly #follower: Follower;
  #leader: Leader | null = null;
  #electionTimeout = 0;

  constructor(config: RaftConfig, start: RaftStart) {
    validateConfig(config);
    this.core = new RaftCore(config, start);
    this.#election = new Election(this.core);
    this.#follower = new Follower(this.core);
    this.#becomeFollower(this.core.term, 0n);
  }

  get uncommittedBytes(): number {
    return this.#leader?.uncommittedBytes ?? 0;
  }

  /** 0n: no hand-over is under way. */
  get transferee(): RaftId {
    return this.#leader?.transferee ?? 0n;
  }

  get hasPendingConfChange(): boolean {
    return this.#leader !== null && this.#leader.hasPendingConfChange;
  }

  /** There are messages to be made before the next Ready. */
  get isDue(): boolean {
    return this.#leader !== null ? this.#leader.isDue : this.#follower.isDue;
  }

  /** Makes the messages of this turn. */
  flush(): void {
    this.#leader?.flush();
    this.#follower.flush();
  }

  /** Time passes: one tick. */
  tick(): void {
    if (this.#leader !== null) {
      if (!this.#leader.tick()) this.#becomeFollower(this.core.term, 0n);
      return;
    }
    this.core.electionElapsed++;
    if (this.core.electionElapsed < this.#electionTimeout || !this.core.isPromotable) return;
    // Its vote is on its way to the disk; another term would only have to wait for another one.
    if (this.core.isOnlyVoter && this.core.role === "candidate") return;
    this.core.electionElapsed = 0;
    this.campaign();
  }

  /** Starts an election now, if this node may be elected. */
  campaign(): void {
    if (!this.#mayCampaign()) return;
    if (this.core.config.preVote) this.#becomePreCandidate();
    else this.#becomeCandidate(false);
  }

  /** Takes in another member's message. */
  step(message: Message): void {
    const { term } = this.core;
    const isTermless =
      message.type === MessageType.propose || message.type === MessageType.readIndex;
    if (!isTermless) {
      if (message.term < term) {
        this.#answerOld(message);
        return;
      }
      if (message.term > term && !this.#takeTerm(message)) return;
    }
    this.#handle(message);
  }

  /** Appends a proposal, or sends it to the leader. The data must never change. */
  propose(type: EntryType, data: Uint8Array): ProposeResult {
    if (this.#leader !== null) return this.#leader.propose(type, data);
    if (this.core.leader === 0n) return "noLeader";
    this.#follower.forwardProposal(type, data);
    return "accepted";
  }

  /** Asks for a linearizable read. False: refused, there is no leader to ask. */
  readIndex(context: number): boolean {
    assert(context >= 0 && context < readContextEnd, "read context out of range");
    if (this.#leader !== null) return this.#leader.readIndex({ from: 0n, context, data: noData });
    if (this.core.leader === 0n) return false;
    this.#follower.forwardRead(this.core.leader, context);
    return true;
  }

  /** Takes over a configuration change that was committed and is being applied. */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    const { core } = this;
    core.conf =
      "changes" in change
        ? applyConfChange(core.conf, change)
        : applySimpleChange(core.conf, change);
    if (this.#leader !== null) this.#leader.membersChanged();
    else this.#resetElectionTimeout();
    return core.conf;
  }

  transferLeadership(to: RaftId): void {
    const { leader, term } = this.core;
    if (this.#leader !== null) this.#leader.transfer(to);
    else if (leader !== 0n) {
      // As raft v3 has it, the sender of the request is who shall lead.
      const type = MessageType.transferLeader;
      this.core.messages.push(createMessage({ type, to: leader, from: to, term }));
    }
  }

  stepDown(): void {
    if (this.#leader !== null) this.#becomeFollower(this.core.term, 0n);
  }

  reportUnreachable(id: RaftId): void {
    this.#leader?.reportUnreachable(id);
    if (id !== this.core.leader) return;
    // It may be gone for good: no sooner than any follower might campaign, but not much later.
    const { electionTicks, random } = this.core.config;
    if (this.#electionTimeout < electionTicks + lostLeaderSpread) return;
    this.#electionTimeout = electionTicks + random.below(lostLeaderSpread);
  }

  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    this.#leader?.reportSnapshot(id, isDelivered);
  }

  get wantedFrom(): number {
    return this.#leader?.wantedFrom ?? Infinity;
  }

  progress(): readonly MemberProgress[] {
    return this.#leader?.progress() ?? [];
  }

  /** What was handed out before is on stable storage; `hardState` is the newest of it. */
  synced(hardState: HardState | null): void {
    const { id, term, role } = this.core;
    const isOurVote = hardState !== null && hardState.term === term && hardState.vote === id;
    if (role === "candidate" && isOurVote) this.#tally(this.#election.count(id, true)); // R1
    this.#leader?.maybeCommit(); // R2
  }

  appliedTo(index: number): void {
    this.core.log.appliedTo(index);
    this.#leader?.applied();
  }

  /** Committed entries leave the leader's uncommitted budget. */
  released(entries: readonly Entry[]): void {
    this.#leader?.released(entries);
  }

  /**
   * A fresh log's first entries, which count as agreed by everyone who starts with the same ones.
   */
  bootstrap(changes: readonly { change: ConfChange; data: Uint8Array }[]): void {
    const { core } = this;
    const { log } = core;
    assert(log.lastIndex === 0, "only an empty log can be bootstrapped");
    this.#becomeFollower(1, 0n);
    for (const { change, data } of changes) {
      log.push({ type: EntryType.confChange, term: 1, index: log.lastIndex + 1, data });
      this.applyConfChange(change);
    }
    log.commitTo(log.lastIndex);
    core.pendingConfIndex = log.lastIndex;
  }

  #handle(message: Message): void {
    switch (message.type) {
      case MessageType.vote:
      case MessageType.preVote:
        this.#election.answer(message);
        break;
      case MessageType.append:
      case MessageType.heartbeat:
      case MessageType.snapshot:
        this.#handleFromLeader(message);
        break;
      case MessageType.voteResponse:
      case MessageType.preVoteResponse:
        this.#handleVote(message);
        break;
      case MessageType.timeoutNow:
        // No pre-vote: the leader itself wants this election.
        if (this.core.role === "follower" && this.#mayCampaign()) this.#becomeCandidate(true);
        break;
      default:
        if (this.#leader !== null) this.#handleAsLeader(this.#leader, message);
        else if (this.core.role === "follower") this.#handleAsFollower(message);
    }
  }

  #handleFromLeader(message: Message): void {
    const { core } = this;
    if (this.#leader !== null) return; // one leader per term: not one of ours
    if (core.role !== "follower") this.#becomeFollower(core.term, message.from);
    core.electionElapsed = 0;
    core.leader = message.from;
    if (message.type === MessageType.append) this.#follower.handleAppend(message);
    else if (message.type === MessageType.heartbeat) this.#follower.handleHeartbeat(message);
    else this.#follower.handleSnapshot(message);
  }

  /** Answers to what we are not asking any more are left alone. */
  #handleVote(message: Message): void {
    const { role } = this.core;
    const expected =
      role === "preCandidate"
        ? MessageType.preVoteResponse
        : role === "candidate"
          ? MessageType.voteResponse
          : undefined;
    if (message.type !== expected) return;
    this.#tally(this.#election.count(message.from, !message.reject));
  }

  #handleAsLeader(leader: Leader, message: Message): void {
    switch (message.type) {
      case MessageType.propose:
        leader.handlePropose(message.entries);
        break;
      case MessageType.appendResponse:
        leader.handleAppendResponse(message);
        break;
      case MessageType.heartbeatResponse:
        leader.handleHeartbeatResponse(message);
        break;
      case MessageType.transferLeader:
        leader.transfer(message.from);
        break;
      case MessageType.readIndex: {
        const entry = message.entries[0];
        if (entry === undefined) break;
        leader.readIndex({ from: message.from, context: 0, data: entry.data });
      }
    }
  }

  #handleAsFollower(message: Message): void {
    const { leader, id } = this.core;
    switch (message.type) {
      case MessageType.propose:
      case MessageType.readIndex:
      case MessageType.transferLeader:
        // The sender took us for the leader, or does not know who it is.
        if (leader !== 0n && leader !== message.from && leader !== id) {
          this.core.forward(message, leader);
        }
        break;
      case MessageType.readIndexResponse:
        this.#follower.handleReadIndexResponse(message);
    }
  }

  /** A message of a later term: we follow it into that term, unless it is a question only. */
  #takeTerm(message: Message): boolean {
    const { type, term, from } = message;
    switch (type) {
      case MessageType.preVote:
        return !this.#election.isRefusedUnheard(message);
      case MessageType.preVoteResponse:
        if (!message.reject) return true; // it has the term we asked about
        break;
      case MessageType.vote:
        if (this.#election.isRefusedUnheard(message)) return false;
        break;
    }
    const isFromLeader =
      type === MessageType.append ||
      type === MessageType.heartbeat ||
      type === MessageType.snapshot;
    this.#becomeFollower(term, isFromLeader ? from : 0n);
    return true;
  }

  /** A message of an earlier term: its sender may need to learn that the term is over. */
  #answerOld(message: Message): void {
    const { core } = this;
    const { preVote, checkQuorum } = core.config;
    const { type, from } = message;
    if (type === MessageType.append || type === MessageType.heartbeat) {
      // Without this a member whose term ran ahead could neither be elected nor follow.
      if (preVote || checkQuorum) core.sendAfterSync(MessageType.appendResponse, from, {});
    } else if (type === MessageType.preVote) {
      core.sendAfterSync(MessageType.preVoteResponse, from, { reject: true });
    }
  }

  #mayCampaign(): boolean {
    const { core } = this;
    if (this.#leader !== null || !core.isPromotable) return false;
    return !core.hasUnappliedConfChange; // R6
  }

  #becomeFollower(term: number, leader: RaftId): void {
    this.#reset(term);
    this.core.leader = leader;
    this.core.role = "follower";
  }

  #becomePreCandidate(): void {
    const { core } = this;
    this.#election.reset();
    core.role = "preCandidate";
    core.leader = 0n;
    this.#election.requestVotes(false);
    // Nothing is promised yet, so our own vote needs no sync.
    this.#tally(this.#election.count(core.id, true));
  }

  #becomeCandidate(isTransfer: boolean): void {
    const { core } = this;
    this.#reset(core.term + 1);
    core.vote = core.id; // counted when synced (R1)
    core.role = "candidate";
    this.#election.requestVotes(isTransfer);
  }

  #becomeLeader(): void {
    const { core } = this;
    this.#reset(core.term);
    core.leader = core.id;
    core.role = "leader";
    this.#leader = new Leader(core);
  }

  #tally(result: VoteResult): void {
    if (result === "pending") return;
    if (result === "lost") this.#becomeFollower(this.core.term, 0n);
    else if (this.core.role === "preCandidate") this.#becomeCandidate(false);
    else this.#becomeLeader();
  }

  #reset(term: number): void {
    const { core } = this;
    if (term !== core.term) {
      assert(term > core.term, () => `term went from ${core.term} to ${term}`); // R9
      core.term = term;
      core.vote = 0n;
    }
    core.leader = 0n;
    core.electionElapsed = 0;
    this.#resetElectionTimeout();
    this.#election.reset();
    this.#leader = null;
  }

  /**
   * Randomness keeps several voters from campaigning at once; a voter alone need not wait at all.
   */
  #resetElectionTimeout(): void {
    const { electionTicks, random } = this.core.config;
    this.#electionTimeout = this.core.isOnlyVoter ? 1 : electionTicks + random.below(electionTicks);
  }
}
