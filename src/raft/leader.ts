import { isJoint, isMember, isVoter } from "./conf-change.ts";
import type { RaftCore } from "./core.ts";
import { MessageType, type Message } from "./message.ts";
import { jointCommitted } from "./quorum.ts";
import { decodeRound, encodeRound, ReadIndexTracker, type ReadRequest } from "./read-index.ts";
import { Replicator } from "./replicator.ts";
import type { MemberProgress } from "./status.ts";
import { EntryType } from "./types.ts";
import type { Entry, RaftId } from "./types.ts";

// R2  A leader's own entries count for commit only when they are synced (our match is the synced
//     index).
// R3  Only an entry of the leader's own term is committed by counting.
// R4  A leader begins its term with an empty entry.
// R5  At most one configuration change is in the log and not applied.
// R7  Reads are confirmed only after the first commit of the leader's term (RI2).
// R8  While leadership is being handed over nothing is proposed: the transferee catches up.

const noData = new Uint8Array(0);

/** Why a proposal was not taken: it is not in the log and never will be. */
export type ProposeResult =
  "accepted" | "noLeader" | "overloaded" | "confChangePending" | "transferring";

/** What a node does and knows while it leads; it ends with the leadership. */
export class Leader {
  readonly #core: RaftCore;
  readonly #replicator: Replicator;
  readonly #reads = new ReadIndexTracker();
  #uncommittedBytes = 0;
  #heartbeatElapsed = 0;
  #transferee: RaftId = 0n;

  constructor(core: RaftCore) {
    this.#core = core;
    this.#replicator = new Replicator(core);
    core.pendingConfIndex = core.log.lastIndex; // an unknown entry may be a change: wait it out
    this.#append(EntryType.normal, noData); // R4
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  get transferee(): RaftId {
    return this.#transferee;
  }

  /** Whether a configuration change other than the end of a joint one would be refused. */
  get hasPendingConfChange(): boolean {
    return this.#isConfChangePending() || isJoint(this.#core.conf);
  }

  /** There are messages to be made before the next Ready. */
  get isDue(): boolean {
    return this.#replicator.isDue || this.#reads.wantsRound;
  }

  /** Makes the messages of this turn. */
  flush(): void {
    if (this.#reads.wantsRound) this.#sendHeartbeats();
    this.#replicator.flush();
  }

  /** Time passes. False: a quorum is silent, the leadership is over. */
  tick(): boolean {
    const core = this.#core;
    const { electionTicks, heartbeatTicks, checkQuorum } = core.config;
    if (++core.electionElapsed >= electionTicks) {
      core.electionElapsed = 0;
      if (checkQuorum && !this.#replicator.takeActivity()) return false;
      this.#transferee = 0n; // it had its time
    }
    if (++this.#heartbeatElapsed >= heartbeatTicks) {
      this.#heartbeatElapsed = 0;
      if (!core.isAlone) this.#sendHeartbeats();
    }
    return true;
  }

  propose(type: EntryType, data: Uint8Array): ProposeResult {
    const core = this.#core;
    if (!core.isAlone && !isMember(core.conf, core.id)) return "noLeader"; // removed meanwhile
    if (this.#transferee !== 0n) return "transferring"; // R8
    if (type !== EntryType.normal && !this.#isConfChangeAllowed(type, data)) {
      return "confChangePending";
    }
    if (this.#isOverloaded(data.length)) return "overloaded";
    this.#append(type, data);
    return "accepted";
  }

  /** A follower's proposals: all or none; what may not be changed now becomes an empty entry. */
  handlePropose(entries: readonly Entry[]): void {
    const { conf, id } = this.#core;
    if (!isMember(conf, id) || this.#transferee !== 0n) return;
    let bytes = 0;
    for (const entry of entries) bytes += entry.data.length;
    if (this.#isOverloaded(bytes)) return;
    for (const { type, data } of entries) {
      if (type === EntryType.normal || this.#isConfChangeAllowed(type, data)) {
        this.#append(type, data);
      } else {
        this.#append(EntryType.normal, noData);
      }
    }
  }

  handleAppendResponse(message: Message): void {
    const progress = this.#replicator.progressOf(message.from);
    if (progress === undefined) return;
    progress.isRecentlyActive = true;
    if (message.reject) {
      this.#replicator.rejected(message);
      return;
    }
    if (!this.#replicator.acknowledged(message)) return;
    this.maybeCommit();
    if (message.from === this.#transferee) this.#finishTransfer();
  }

  handleHeartbeatResponse(message: Message): void {
    const progress = this.#replicator.progressOf(message.from);
    if (progress === undefined) return;
    progress.isRecentlyActive = true;
    this.#replicator.heard(message.from);
    const { id, conf } = this.#core;
    const round = decodeRound(message.context);
    for (const read of this.#reads.acknowledge(round, message.from, id, conf)) {
      this.#answerRead(read.request, read.index);
    }
  }

  /** False: refused, too many reads wait. */
  readIndex(request: ReadRequest): boolean {
    const { log, term } = this.#core;
    if (log.term(log.commit) !== term) return this.#reads.postpone(request); // R7
    return this.#startRead(request);
  }

  /** Hands the leadership to a voter, which first gets what it lacks of the log. */
  transfer(to: RaftId): void {
    const core = this.#core;
    if (to === core.id) {
      this.#transferee = 0n; // asked to stay
      return;
    }
    const progress = this.#replicator.progressOf(to);
    if (progress === undefined || progress.isLearner || to === this.#transferee) return;
    core.electionElapsed = 0; // it has one election timeout
    this.#transferee = to;
    if (!this.#finishTransfer()) this.#replicator.probe(to);
  }

  reportUnreachable(id: RaftId): void {
    this.#replicator.reportUnreachable(id);
  }

  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    this.#replicator.reportSnapshot(id, isDelivered);
  }

  /** The configuration was changed. */
  membersChanged(): void {
    this.#replicator.membersChanged();
    this.maybeCommit();
    if (!isVoter(this.#core.conf, this.#transferee)) this.#transferee = 0n;
  }

  /** Everything up to the applied index is applied: a joint state may be due to end. */
  applied(): void {
    const core = this.#core;
    if (!core.conf.autoLeave || this.#isConfChangePending() || this.#transferee !== 0n) return;
    this.#append(EntryType.confChangeV2, noData);
  }

  /** Committed entries leave the uncommitted budget. */
  released(entries: readonly Entry[]): void {
    if (this.#uncommittedBytes === 0) return;
    let bytes = 0;
    for (const entry of entries) bytes += entry.data.length;
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - bytes);
  }

  /** Commits what a quorum has synced. */
  maybeCommit(): void {
    const { log, conf, isAlone, term } = this.#core;
    const index = isAlone
      ? log.syncedIndex
      : jointCommitted(conf.voters, conf.votersOutgoing, this.#replicator.matchOf);
    if (index <= log.commit || log.term(index) !== term) return; // R3
    log.commitTo(index);
    this.#replicator.logChanged();
    if (!this.#reads.hasPostponed) return;
    for (const request of this.#reads.takePostponed()) this.#startRead(request); // R7
  }

  /** Entries above this should stay in memory; Infinity: none has to. */
  get wantedFrom(): number {
    return this.#replicator.wantedFrom;
  }

  progress(): MemberProgress[] {
    return this.#replicator.progress();
  }

  #append(type: EntryType, data: Uint8Array): void {
    const { log, term } = this.#core;
    const index = log.lastIndex + 1;
    log.push({ type, term, index, data });
    this.#uncommittedBytes += data.length;
    if (type !== EntryType.normal) this.#core.pendingConfIndex = index;
    this.#replicator.logChanged();
  }

  #isOverloaded(bytes: number): boolean {
    const used = this.#uncommittedBytes;
    return used > 0 && bytes > 0 && used + bytes > this.#core.config.uncommittedBytesMax;
  }

  #isConfChangePending(): boolean {
    return this.#core.pendingConfIndex > this.#core.log.applied;
  }

  /** A joint state is left by an empty change of the second kind, and by nothing else. */
  #isConfChangeAllowed(type: EntryType, data: Uint8Array): boolean {
    if (this.#isConfChangePending()) return false; // R5
    const isLeave = type === EntryType.confChangeV2 && data.length === 0;
    return isLeave === isJoint(this.#core.conf);
  }

  #sendHeartbeats(): void {
    const round = this.#reads.beginRound();
    this.#replicator.sendHeartbeats(round === 0 ? noData : encodeRound(round));
  }

  #startRead(request: ReadRequest): boolean {
    const { log, isOnlyVoter } = this.#core;
    if (!isOnlyVoter) return this.#reads.add(request, log.commit);
    this.#answerRead(request, log.commit);
    return true;
  }

  #answerRead(request: ReadRequest, index: number): void {
    const { from, context, data } = request;
    if (from === 0n) {
      this.#core.readStates.push({ context, index });
      return;
    }
    const entries = [{ type: EntryType.normal, term: 0, index: 0, data }];
    this.#core.send(MessageType.readIndexResponse, from, { index, entries });
  }

  /** Tells the transferee to take over, if it has the whole log. */
  #finishTransfer(): boolean {
    const { log } = this.#core;
    if (this.#replicator.matchOf(this.#transferee) < log.lastIndex) return false;
    this.#core.send(MessageType.timeoutNow, this.#transferee, {});
    return true;
  }
}
