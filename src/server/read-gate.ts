import {
  errLeaderChanged,
  errStopped,
  errTimeout,
  errTimeoutWaitAppliedIndex,
} from "../base/etcd-errors.ts";
import type { EtcdError } from "../base/etcd-errors.ts";

// RG1  A read joins a round only before the round's read index is asked for.
// RG2  Each attempt has a context of its own: an answer to an earlier one is ignored (etcd #20418).
// RG3  A read runs only when everything up to its read index was applied.

/** Someone who waits until a linearizable read may run. */
export interface ReadWaiter {
  /** null: read now, in this call; else the read failed. Called once. */
  ready(error: EtcdError | null): void;
}

export interface ReadGateOptions {
  /** 5 s and two election timeouts, as in etcd. */
  readonly timeoutMs: number;
  /** An unanswered request is made again after this long (500 in etcd). */
  readonly retryMs: number;
  /** Above every context of this member's earlier runs (RG2). */
  readonly firstContext?: number;
  /** The first read of a turn asks for begin() at the end of the turn. */
  readonly wanted: () => void;
}

interface Round {
  readonly waiters: ReadWaiter[];
  readonly startedAt: number;
  askedAt: number;
  context: number;
}

interface ConfirmedRound {
  readonly index: number;
  readonly waiters: ReadWaiter[];
  readonly deadline: number;
}

/** Batches linearizable reads: one read index for all reads of a turn. */
export class ReadGate {
  readonly #options: ReadGateOptions;
  /** Since the start: requests for a read index refused, and rounds not answered in time. */
  readonly counters = { refused: 0, late: 0 };
  #collected: ReadWaiter[] = [];
  #round: Round | null = null;
  #confirmed: ConfirmedRound[] = [];
  #context: number;
  #now: number;
  #isStopped = false;

  constructor(options: ReadGateOptions, nowMs: number) {
    this.#options = options;
    this.#context = options.firstContext ?? 0;
    this.#now = nowMs;
  }

  /**
   * Calls the waiter back when reading now gives a linearizable answer, in a later part of the turn
   * at the earliest.
   */
  read(waiter: ReadWaiter): void {
    if (this.#isStopped) {
      waiter.ready(errStopped);
      return;
    }
    this.#collected.push(waiter);
    if (this.#collected.length === 1) this.#options.wanted();
  }

  /** Starts a round with all reads collected, unless one is under way. */
  begin(request: (context: number) => boolean): void {
    if (this.#round !== null || this.#collected.length === 0) return;
    const waiters = this.#collected;
    this.#collected = [];
    this.#round = { waiters, startedAt: this.#now, askedAt: this.#now, context: 0 };
    this.#ask(this.#round, request);
  }

  /** The current round's request was refused or is unanswered: makes it again. */
  retry(request: (context: number) => boolean): void {
    if (this.#round !== null) this.#ask(this.#round, request);
  }

  /** The answer to the attempt with this context. */
  confirmed(context: number, index: number, applied: number): void {
    const round = this.#round;
    if (round === null || round.context !== context) return; // RG2
    this.#round = null;
    if (index <= applied) run(round.waiters, null);
    else {
      const deadline = round.startedAt + this.#options.timeoutMs;
      this.#confirmed.push({ index, waiters: round.waiters, deadline });
    }
    if (this.#collected.length > 0) this.#options.wanted();
  }

  /** Everything up to `applied` was applied. */
  appliedTo(applied: number): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= applied) {
      run(this.#confirmed.shift()!.waiters, null); // RG3
    }
  }

  /** The leader that was asked is not the leader any more. */
  leaderLost(): void {
    const round = this.#round;
    if (round === null) return;
    this.#round = null;
    run(round.waiters, errLeaderChanged);
  }

  /** Time passes. Calls `request` again for a round without an answer. */
  tick(nowMs: number, request: (context: number) => boolean): void {
    this.#now = nowMs;
    const round = this.#round;
    if (round !== null) {
      if (nowMs - round.startedAt >= this.#options.timeoutMs) {
        this.#round = null;
        this.counters.late++;
        run(round.waiters, errTimeout);
        if (this.#collected.length > 0) this.#options.wanted();
      } else if (nowMs - round.askedAt >= this.#options.retryMs) {
        this.#ask(round, request);
      }
    }
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.deadline <= nowMs) {
      run(this.#confirmed.shift()!.waiters, errTimeoutWaitAppliedIndex);
    }
  }

  /** Fails every read, now and later. */
  stop(): void {
    this.#isStopped = true;
    const rounds = this.#confirmed.map((round) => round.waiters);
    if (this.#round !== null) rounds.push(this.#round.waiters);
    rounds.push(this.#collected);
    this.#confirmed = [];
    this.#round = null;
    this.#collected = [];
    for (const waiters of rounds) run(waiters, errStopped);
  }

  #ask(round: Round, request: (context: number) => boolean): void {
    round.context = ++this.#context; // RG2
    round.askedAt = this.#now;
    if (!request(round.context)) this.counters.refused++;
  }
}

function run(waiters: readonly ReadWaiter[], error: EtcdError | null): void {
  for (const waiter of waiters) waiter.ready(error);
}
