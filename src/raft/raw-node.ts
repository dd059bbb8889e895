import { assert } from "../base/assert.ts";
import type { RaftConfig } from "./config.ts";
import type { ConfChangeV2 } from "./conf-change.ts";
import type { ConfChange, Message } from "./message.ts";
import type { RaftCore, RaftStart } from "./core.ts";
import type { ProposeResult } from "./leader.ts";
import { Raft } from "./raft.ts";
import type { MemberProgress, RaftStatus } from "./status.ts";
import { EntryType } from "./types.ts";
import type {
  ConfState,
  Entry,
  HardState,
  RaftId,
  ReadState,
  RoleName,
  SnapshotMetadata,
  SoftState,
} from "./types.ts";

export type { ProposeResult } from "./leader.ts";

/** Work for the caller; README.md states the duties that go with it. */
export interface Ready {
  /** Grows by one with each Ready; names it in {@link RawNode.synced}. */
  readonly number: number;
  /** The new role and leader; null if unchanged. */
  readonly softState: SoftState | null;
  /** The new hard state; null if unchanged. */
  readonly hardState: HardState | null;
  /** Entries to put in the log, in place of everything from the first one's index on. */
  readonly entries: readonly Entry[];
  /**
   * To be installed before the entries: it takes the place of the whole log and of the applied
   * state. `synced` may only be called when that is durable and done.
   */
  readonly snapshot: SnapshotMetadata | null;
  /** Entries, snapshot, term or vote changed: `synced` may only be called after a sync. */
  readonly mustSync: boolean;
  /** May be sent at once, before this Ready is synced. */
  readonly messages: readonly Message[];
  /** To be sent only when this Ready, and all before it, are synced. */
  readonly messagesAfterSync: readonly Message[];
  readonly readStates: readonly ReadState[];
  /** Synced and committed entries, to be applied in order. */
  readonly committedEntries: readonly Entry[];
}

const noMessages: readonly Message[] = [];
const noEntries: readonly Entry[] = [];
const noReads: readonly ReadState[] = [];

/** The raft node as its owner uses it: deterministic, and without clock, disk or network. */
export class RawNode {
  readonly #raft: Raft;
  readonly #core: RaftCore;
  #softState: SoftState;
  #hardState: HardState;
  #number = 0;
  /** Readys not yet synced, oldest first: their number and the hard state they carry. */
  readonly #outstanding: { number: number; hardState: HardState | null }[] = [];

  constructor(config: RaftConfig, start: RaftStart) {
    this.#raft = new Raft(config, start);
    this.#core = this.#raft.core;
    this.#softState = { leader: this.#core.leader, role: this.#core.role };
    this.#hardState = start.hardState;
  }

  /** Gives an empty log the entries every first member starts with (encoded ConfChanges). */
  bootstrap(changes: readonly { change: ConfChange; data: Uint8Array }[]): void {
    this.#raft.bootstrap(changes);
  }

  tick(): void {
    this.#raft.tick();
  }

  /** A message from another member arrived; sender and receiver were checked. */
  step(message: Message): void {
    this.#raft.step(message);
  }

  /** Starts an election without waiting for the timeout. */
  campaign(): void {
    this.#raft.campaign();
  }

  /**
   * Leader: into the log. Others: sent to the leader, and "accepted" promises nothing. The data is
   * kept by reference and must never change.
   */
  propose(data: Uint8Array): ProposeResult {
    return this.#raft.propose(EntryType.normal, data);
  }

  proposeConfChange(data: Uint8Array): ProposeResult {
    return this.#raft.propose(EntryType.confChange, data);
  }

  /** A joint change, or with empty data the end of a joint state. */
  proposeConfChangeV2(data: Uint8Array): ProposeResult {
    return this.#raft.propose(EntryType.confChangeV2, data);
  }

  /** Leader: whether a configuration change proposed now would be refused. */
  get hasPendingConfChange(): boolean {
    return this.#raft.hasPendingConfChange;
  }

  /** To be called while the committed change is applied; returns the configuration after it. */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    return this.#raft.applyConfChange(change);
  }

  /**
   * Asks the leader for a read index. `context` (0 to 2^48 - 1) is never used twice by this member,
   * not even after a restart. False: refused, ask again later.
   */
  readIndex(context: number): boolean {
    return this.#raft.readIndex(context);
  }

  /** Hands the leadership to a voter; given up after an election timeout. */
  transferLeadership(to: RaftId): void {
    this.#raft.transferLeadership(to);
  }

  /** A leader whose disk or loop stalls gives up its role. */
  stepDown(): void {
    this.#raft.stepDown();
  }

  /** Messages to the member were lost. */
  reportUnreachable(id: RaftId): void {
    this.#raft.reportUnreachable(id);
  }

  /** The snapshot sent to the member was delivered, or was not. */
  reportSnapshot(id: RaftId, isDelivered: boolean): void {
    this.#raft.reportSnapshot(id, isDelivered);
  }

  /**
   * Entries above this follow a snapshot that a member gets, and should stay in memory; Infinity:
   * none has to.
   */
  get wantedFrom(): number {
    return this.#raft.wantedFrom;
  }

  /** The other members as the leader sees them, by id; empty on nodes that do not lead. */
  progress(): readonly MemberProgress[] {
    return this.#raft.progress();
  }

  hasReady(): boolean {
    const core = this.#core;
    return (
      core.log.hasUnsynced ||
      core.log.hasNextCommitted ||
      core.readStates.length > 0 ||
      core.messages.length > 0 ||
      core.messagesAfterSync.length > 0 ||
      this.#raft.isDue ||
      this.#nextSoftState() !== null ||
      this.#nextHardState() !== null
    );
  }

  /** Everything there is to do now. It counts as taken: the next Ready holds only what is new. */
  ready(): Ready {
    const core = this.#core;
    const number = ++this.#number;
    if (this.#raft.isDue) this.#raft.flush();
    const softState = this.#nextSoftState();
    const hardState = this.#nextHardState();
    const isVoteChanged =
      hardState !== null &&
      (hardState.term !== this.#hardState.term || hardState.vote !== this.#hardState.vote);
    const isLogChanged = core.log.hasUnsynced;
    const committedEntries = core.log.handOutCommitted(core.config.committedBytesPerReadyMax);
    const ready: Ready = {
      number,
      softState,
      hardState,
      snapshot: isLogChanged ? core.log.handOutSnapshot(number) : null,
      entries: isLogChanged ? core.log.handOutUnsynced(number) : noEntries,
      mustSync: isLogChanged || isVoteChanged,
      messages: core.messages.length > 0 ? core.messages : noMessages,
      messagesAfterSync: core.messagesAfterSync.length > 0 ? core.messagesAfterSync : noMessages,
      readStates: core.readStates.length > 0 ? core.readStates : noReads,
      committedEntries,
    };
    if (ready.messages.length > 0) core.messages = [];
    if (ready.messagesAfterSync.length > 0) core.messagesAfterSync = [];
    if (ready.readStates.length > 0) core.readStates = [];
    if (softState !== null) this.#softState = softState;
    if (hardState !== null) this.#hardState = hardState;
    if (ready.mustSync) this.#outstanding.push({ number, hardState });
    this.#raft.released(committedEntries);
    return ready;
  }

  /** Ready `number` and all before it are on stable storage, their entries readable from it. */
  synced(number: number): void {
    assert(number <= this.#number, () => `Ready ${number} was never given out`);
    let hardState: HardState | null = null;
    let done = 0;
    for (const ready of this.#outstanding) {
      if (ready.number > number) break;
      hardState = ready.hardState ?? hardState;
      done++;
    }
    if (done === 0) return;
    this.#outstanding.splice(0, done);
    this.#core.log.syncedTo(number);
    this.#raft.synced(hardState);
  }

  /** Committed entries up to `index` were applied. */
  appliedTo(index: number): void {
    this.#raft.appliedTo(index);
  }

  // Plain getters for the hot path; status() is for everyone else.
  get commit(): number {
    return this.#core.log.commit;
  }
  get term(): number {
    return this.#core.term;
  }
  get leader(): RaftId {
    return this.#core.leader;
  }
  /** Whom the leader hands over to, while it does and takes no proposals; else 0n. */
  get transferee(): RaftId {
    return this.#raft.transferee;
  }
  get role(): RoleName {
    return this.#core.role;
  }
  get confState(): ConfState {
    return this.#core.conf;
  }

  status(): RaftStatus {
    const core = this.#core;
    return {
      id: core.id,
      role: core.role,
      leader: core.leader,
      term: core.term,
      vote: core.vote,
      commit: core.log.commit,
      applied: core.log.applied,
      lastIndex: core.log.lastIndex,
      syncedIndex: core.log.syncedIndex,
      transferee: this.#raft.transferee,
    };
  }

  #nextSoftState(): SoftState | null {
    const { leader, role } = this.#core;
    if (leader === this.#softState.leader && role === this.#softState.role) return null;
    return { leader, role };
  }

  #nextHardState(): HardState | null {
    const { term, vote, log } = this.#core;
    const old = this.#hardState;
    if (term === old.term && vote === old.vote && log.commit === old.commit) return null;
    return { term, vote, commit: log.commit };
  }
}
