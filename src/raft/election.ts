import { isVoter, membersOf } from "./conf-change.ts";
import type { RaftCore } from "./core.ts";
import { MessageType, type Message } from "./message.ts";
import { jointVote, type VoteResult } from "./quorum.ts";
import type { RaftId } from "./types.ts";

// EL1  A vote is given once in a term, and only to a log that is not behind ours.
// EL2  While a leader is heard, votes are neither given nor is their term taken over: a member that
//      was cut off or removed cannot disturb the others. A hand-over of leadership may.
// EL3  A pre-vote promises nothing and changes nothing.
// EL4  Votes are asked for when our term, our own vote and our log are synced. Asked earlier, a
//      crash could bring us back with less than the voters were told, to lead the same term again.

/** The context of votes asked for on behalf of the leader, as raft v3 has it. */
const transferContext = new TextEncoder().encode("CampaignTransfer");
const noContext = new Uint8Array(0);

/** Asking for votes, counting them, and giving them. */
export class Election {
  readonly #core: RaftCore;
  readonly #votes = new Map<RaftId, boolean>();

  constructor(core: RaftCore) {
    this.#core = core;
  }

  reset(): void {
    this.#votes.clear();
  }

  /** Counts the first answer of a member. */
  count(id: RaftId, granted: boolean): VoteResult {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
    const { voters, votersOutgoing } = this.#core.conf;
    return jointVote(voters, votersOutgoing, (voter) => this.#votes.get(voter));
  }

  /** Asks all other voters, as pre-candidate or candidate. */
  requestVotes(isTransfer: boolean): void {
    const core = this.#core;
    const isPreVote = core.role === "preCandidate";
    const type = isPreVote ? MessageType.preVote : MessageType.vote;
    const { lastIndex: index, lastTerm: logTerm } = core.log;
    const term = isPreVote ? core.term + 1 : core.term;
    const context = isTransfer ? transferContext : noContext;
    const parts = { term, index, logTerm, context };
    for (const id of membersOf(core.conf)) {
      if (id === core.id || !isVoter(core.conf, id)) continue;
      if (isPreVote) core.send(type, id, parts);
      else core.sendAfterSync(type, id, parts); // EL4
    }
  }

  /** Whether to take no notice of a vote request of a later term (EL2). */
  isRefusedUnheard(message: Message): boolean {
    const { config, leader, electionElapsed } = this.#core;
    if (!config.checkQuorum || leader === 0n) return false;
    return electionElapsed < config.electionTicks && !isTransfer(message.context);
  }

  /** Answers a vote or pre-vote request of our term, or a pre-vote of a later one. */
  answer(message: Message): void {
    const core = this.#core;
    const { from, term } = message;
    const isPreVote = message.type === MessageType.preVote;
    const type = isPreVote ? MessageType.preVoteResponse : MessageType.voteResponse;
    const isFree =
      core.vote === from || // again the same
      (core.vote === 0n && core.leader === 0n) ||
      (isPreVote && term > core.term); // EL3
    if (!isFree || !isUpToDate(core, message)) {
      core.sendAfterSync(type, from, { reject: true });
      return;
    }
    // The request's term: a pre-candidate counts answers for the term it asked about.
    core.sendAfterSync(type, from, { term });
    if (isPreVote) return; // EL3
    core.electionElapsed = 0;
    core.vote = from; // EL1
  }
}

/** EL1: the candidate's log ends in a later term, or in the same one not before ours. */
function isUpToDate(core: RaftCore, message: Message): boolean {
  const { lastTerm, lastIndex } = core.log;
  if (message.logTerm !== lastTerm) return message.logTerm > lastTerm;
  return message.index >= lastIndex;
}

function isTransfer(context: Uint8Array): boolean {
  if (context.length !== transferContext.length) return false;
  return context.every((byte, at) => byte === transferContext[at]);
}
