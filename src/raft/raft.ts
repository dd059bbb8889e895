import { assert, must } from "../base/assert.ts";
import { applyConfChange, applySimpleChange, isVoter } from "./conf-change.ts";
import type { ConfChangeV2 } from "./conf-change.ts";
import { validateConfig, type RaftConfig } from "./config.ts";
import { RaftLog } from "./log.ts";
import type { MemberProgress } from "./raw-node.ts";
import type { ConfChange, Message } from "./message.ts";
import { jointCommitted, jointVote } from "./quorum.ts";
import { ReadIndexTracker } from "./read-index.ts";
import type { Storage } from "./storage.ts";
import { EntryType } from "./types.ts";
import type { ConfState, Entry, HardState, RaftId, ReadState, RoleName } from "./types.ts";

// R1  A vote counts, our own too, only when the term and vote behind it are synced.
// R2  A leader's own entries count for commit only when they are synced (our match is the synced
//     index).
// R3  Only an entry of the leader's own term is committed by counting.
// R4  A leader begins its term with an empty entry.
// R5  At most one configuration change is in the log and not applied.
// R6  A node does not campaign while it has committed configuration changes to apply.
// R7  Reads are confirmed only after the first commit of the leader's term (RI2).

const emptyData = new Uint8Array(0);

/** Why a proposal was not taken: it is not in the log and never will be. */
export type ProposeResult = 
  "accepted" | "noLeader" | "overloaded" | "confChangePending" | "transferring";

/** Where a node starts from: what it had synced and what it had applied. */
export interface RaftStart {
  readonly storage: Storage;
  readonly hardState: HardState;
  /** The configuration as of `applied`. */
  readonly confState: ConfState;
  /** Entries up to here were applied before the restart. */
  readonly applied: number;
}

/** One follower as the leader sees it. */
interface Progress {
  match: number;
}

/** The roles and their rules. Pure: input is a call or a tick, output is read through RawNode. */
export class Raft {
  readonly config: RaftConfig;
  readonly log: RaftLog;
  /** Messages that may leave at once, and those that must wait for the next Ready's sync. */
  messages: Message[] = [];
  messagesAfterSync: Message[] = [];
  readStates: ReadState[] = [];

  #term: number;
  #vote: RaftId;
  #role: RoleName = "follower";
  #leader: RaftId = 0n;
  #conf: ConfState;
  #electionElapsed = 0;
  #electionTimeout = 0;
  readonly #votes = new Map<RaftId, boolean>();
  readonly #progress = new Map<RaftId, Progress>();
  readonly #reads = new ReadIndexTracker();
  /** The newest configuration change in the log, or an index below it (R5, R6). */
  #pendingConfIndex = 0;
  #uncommittedBytes = 0;

  constructor(config: RaftConfig, start: RaftStart) {
    validateConfig(config);
    this.config = config;
    this.log = new RaftLog(start.storage, start.hardState.commit, start.applied);
    this.#term = start.hardState.term;
    this.#vote = start.hardState.vote;
    this.#conf = start.confState;
    this.#becomeFollower(this.#term, 0n);
    // The log may hold a change that is not applied yet; until then it counts as pending.
    this.#pendingConfIndex = this.log.lastIndex;
  }

  get term(): number {
    return this.#term;
  }
  get vote(): RaftId {
    return this.#vote;
  }
  get role(): RoleName {
    return this.#role;
  }
  get leader(): RaftId {
    return this.#leader;
  }
  get confState(): ConfState {
    return this.#conf;
  }
  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Time passes: one tick. */
  tick(): void {
    if (this.#role === "leader") return;
    this.#electionElapsed++;
    if (this.#electionElapsed >= this.#electionTimeout) {
      this.#electionElapsed = 0;
      this.campaign();
    }
  }

  /** Starts an election now, if this node may be elected. */
  campaign(): void {
    if (this.#role === "leader" || !isVoter(this.#conf, this.config.id)) return;
    if (this.#hasUnappliedConfChange()) return; // R6
    if (this.config.preVote) this.#becomePreCandidate();
    else this.#becomeCandidate();
  }

  /** Appends a proposal. The data is kept by reference and must never change. */
  propose(type: EntryType, data: Uint8Array): ProposeResult {
    if (this.#role !== "leader") return "noLeader";
    if (type !== EntryType.normal && this.#pendingConfIndex > this.log.applied) {
      return "confChangePending"; // R5
    }
    const bytes = this.#uncommittedBytes + data.length;
    if (this.#uncommittedBytes > 0 && bytes > this.config.uncommittedBytesMax) return "overloaded";
    this.#append(type, data);
    if (type !== EntryType.normal) this.#pendingConfIndex = this.log.lastIndex;
    return "accepted";
  }

  /**
   * Asks for a linearizable read. False: refused, there is no leader to ask. `context` is never
   * reused.
   */
  readIndex(context: number): boolean {
    if (this.#role !== "leader") return false;
    if (this.log.term(this.log.commit) !== this.#term) this.#reads.postpone(context);
    else this.#startRead(context);
    return true;
  }

  /** Takes over a configuration change that was committed and is being applied. */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    this.#conf =
      "changes" in change
        ? applyConfChange(this.#conf, change)
        : applySimpleChange(this.#conf, change);
    if (this.#role === "leader") {
      this.#trackMembers();
      this.#maybeCommit();
    } else {
      this.#resetElectionTimeout();
    }
    return this.#conf;
  }

  /** What was handed out before is on stable storage; `hardState` is the newest of it. */
  synced(hardState: HardState | null): void {
    const isOurVote =
      hardState !== null && hardState.term === this.#term && hardState.vote === this.config.id;
    if (this.#role === "candidate" && isOurVote) this.#countVote(this.config.id, true); // R1
    if (this.#role === "leader") {
      this.#progressOf(this.config.id).match = this.log.syncedIndex; // R2
      this.#maybeCommit();
    }
  }

  appliedTo(index: number): void {
    this.log.appliedTo(index);
  }

  /** Committed entries leave the leader's uncommitted budget. */
  released(entries: readonly Entry[]): void {
    if (this.#uncommittedBytes === 0) return;
    let bytes = 0;
    for (const entry of entries) bytes += entry.data.length;
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - bytes);
  }

  /**
   * A fresh log's first entries, which count as agreed by everyone who starts with the same ones.
   */
  bootstrap(changes: readonly { change: ConfChange; data: Uint8Array }[]): void {
    assert(this.log.lastIndex === 0, "only an empty log can be bootstrapped");
    this.#becomeFollower(1, 0n);
    for (const { change, data } of changes) {
      const index = this.log.lastIndex + 1;
      this.log.push({ type: EntryType.confChange, term: 1, index, data });
      this.applyConfChange(change);
    }
    this.log.commitTo(this.log.lastIndex);
    this.#pendingConfIndex = this.log.lastIndex;
  }

  readonly hasPendingConfChange: boolean = false;
  readonly transferee: RaftId = 0n;
  step(message: Message): void {
    void message;
  }
  transferLeadership(to: RaftId): void {
    void to;
  }
  stepDown(): void {
    if (this.#role === "leader") this.#becomeFollower(this.#term, 0n);
  }
  reportUnreachable(id: RaftId): void {
    void id;
  }
  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    void [id, isDelivered];
  }
  progress(): MemberProgress[] {
    return [];
  }

  #hasUnappliedConfChange(): boolean {
    return this.log.applied < Math.min(this.#pendingConfIndex, this.log.commit);
  }

  #becomeFollower(term: number, leader: RaftId): void {
    this.#reset(term);
    this.#leader = leader;
    this.#role = "follower";
  }

  #becomePreCandidate(): void {
    this.#votes.clear();
    this.#role = "preCandidate";
    this.#leader = 0n;
    this.#countVote(this.config.id, true); // nothing is promised yet, so nothing needs a sync
  }

  #becomeCandidate(): void {
    this.#reset(this.#term + 1);
    this.#vote = this.config.id;
    this.#role = "candidate";
  }

  #becomeLeader(): void {
    this.#reset(this.#term);
    this.#leader = this.config.id;
    this.#role = "leader";
    this.#trackMembers();
    this.#pendingConfIndex = this.log.lastIndex; // an unknown entry may be a change: wait it out
    this.#append(EntryType.normal, emptyData); // R4
  }

  #reset(term: number): void {
    if (term !== this.#term) {
      assert(term > this.#term, () => `term went from ${this.#term} to ${term}`);
      this.#term = term;
      this.#vote = 0n;
    }
    this.#leader = 0n;
    this.#electionElapsed = 0;
    this.#resetElectionTimeout();
    this.#votes.clear();
    this.#progress.clear();
    this.#reads.reset();
    this.#uncommittedBytes = 0;
  }

  /**
   * Randomness keeps several voters from campaigning at once; a voter alone need not wait at all.
   */
  #resetElectionTimeout(): void {
    const { electionTicks, id, random } = this.config;
    const { voters, votersOutgoing } = this.#conf;
    const isAlone = voters.length === 1 && voters[0] === id && votersOutgoing.length === 0;
    this.#electionTimeout = isAlone ? 1 : electionTicks + random.below(electionTicks);
  }

  #countVote(id: RaftId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
    const { voters, votersOutgoing } = this.#conf;
    const result = jointVote(voters, votersOutgoing, (voter) => this.#votes.get(voter));
    if (result === "pending") return;
    if (result === "lost") this.#becomeFollower(this.#term, 0n);
    else if (this.#role === "preCandidate") this.#becomeCandidate();
    else this.#becomeLeader();
  }

  #append(type: EntryType, data: Uint8Array): void {
    this.log.push({ type, term: this.#term, index: this.log.lastIndex + 1, data });
    this.#uncommittedBytes += data.length;
  }

  #trackMembers(): void {
    const conf = this.#conf;
    for (const ids of [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext]) {
      for (const id of ids) if (!this.#progress.has(id)) this.#progress.set(id, { match: 0 });
    }
    const own = this.#progress.get(this.config.id);
    if (own !== undefined) own.match = this.log.syncedIndex;
  }

  #progressOf(id: RaftId): Progress {
    let progress = this.#progress.get(id);
    if (progress === undefined) {
      progress = { match: 0 }; // a leader that was removed still finishes what it has begun
      this.#progress.set(id, progress);
    }
    return progress;
  }

  #maybeCommit(): void {
    const index = jointCommitted(this.#conf.voters, this.#conf.votersOutgoing, this.#matchOf);
    if (index <= this.log.commit || this.log.term(index) !== this.#term) return; // R3
    this.log.commitTo(index);
    for (const context of this.#reads.takePostponed()) this.#startRead(context); // R7
  }

  readonly #matchOf = (id: RaftId): number => must(this.#progress.get(id), "progress").match;

  #startRead(context: number): void {
    this.#reads.add(context, this.log.commit);
    const confirmed = this.#reads.acknowledge(context, this.config.id, this.#conf);
    for (const read of confirmed) this.readStates.push(read);
  }
}
