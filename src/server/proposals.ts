import { assert } from "../base/assert.ts";
import {
  errStopped,
  errTimeout,
  errTimeoutDueToConnectionLost,
  errTimeoutDueToLeaderFail,
} from "../base/etcd-errors.ts";
import type { EtcdError } from "../base/etcd-errors.ts";
import type { TxnRequest } from "../codec/messages.ts";
import type { ApplyResult } from "./apply/applier.ts";

// PR1  An id is given out once and ids grow; the member's 16 bits keep members apart.
// PR2  A waiter is told exactly once: applied, failed, timed out, or stopped.

/** Someone who waits for a proposal to be applied. */
export interface Waiter {
  /** The proposed request as decoded here, from bytes that last: not to be decoded again. */
  readonly request?: TxnRequest;
  /** Nobody is there any more: what was not proposed yet need not be. */
  readonly isGone?: boolean;
  /** The proposal was committed and applied; `result` is what applying it gave. */
  applied(result: ApplyResult): void;
  /** Nothing is known about the proposal: it may still be applied. */
  failed(error: EtcdError): void;
}

export interface ProposalsOptions {
  readonly memberId: bigint;
  /** Wall clock at the start, in ms since the epoch: ids of an earlier run are below ours. */
  readonly wallMs: number;
  /** How long a waiter waits: 5 s and two election timeouts, as in etcd. */
  readonly timeoutMs: number;
  /** How far before an election a proposal must have started to be blamed on the lost leader. */
  readonly leaderFailWindowMs: number;
  /** The leader, or for a leader a majority, was connected all the time since then. */
  readonly isConnectedSince?: (sinceMs: number) => boolean;
}

const low48 = 2 ** 48;
const low40 = 2 ** 40;

/** Hands out request ids and remembers who waits for which. */
export class Proposals {
  /** The id's upper 16 bits, the same for every proposal of this member. */
  readonly idHigh: number;
  readonly #options: ProposalsOptions;
  #idLow: number;
  readonly #waiters = new Map<number, Waiter>();
  /** Proposals that were refused or not applied in time, since the start. */
  failures = 0;
  /** At each sweep: the time and the newest id then. A waiter needs no time of its own. */
  #marks: { at: number; idLow: number }[] = [];
  #electedAt = -Infinity;
  #isStopped = false;

  constructor(options: ProposalsOptions) {
    this.#options = options;
    this.idHigh = Number(options.memberId & 0xffffn);
    this.#idLow = (options.wallMs % low40) * 256;
  }

  /** Above the ids of every earlier run of this member, as long as its clock is right. */
  get newestIdLow(): number {
    return this.#idLow;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** A new id's lower 48 bits: 40 of time, 8 of a counter that carries into them. */
  nextIdLow(): number {
    this.#idLow = (this.#idLow + 1) % low48;
    return this.#idLow;
  }

  /** The waiter is told when the proposal with this id was applied, or fails. */
  register(idLow: number, waiter: Waiter): void {
    assert(!this.#waiters.has(idLow), () => `two proposals with id ${idLow}`);
    if (this.#isStopped) waiter.failed(errStopped);
    else this.#waiters.set(idLow, waiter);
  }

  /** Who waits for this id; undefined: nobody, so a result need not be built. */
  get(idLow: number): Waiter | undefined {
    return this.#waiters.get(idLow);
  }

  /** The proposal was applied. False if nobody waits for it (any more). */
  applied(idLow: number, result: ApplyResult): boolean {
    const waiter = this.#waiters.get(idLow);
    if (waiter === undefined) return false;
    this.#waiters.delete(idLow);
    waiter.applied(result);
    return true;
  }

  /** The proposal was refused after its waiter was registered. */
  failed(idLow: number, error: EtcdError): void {
    const waiter = this.#waiters.get(idLow);
    if (waiter === undefined) return;
    this.failures++;
    this.#waiters.delete(idLow);
    waiter.failed(error);
  }

  /** The waiter lost interest (cancelled, disconnected); it is not told anything. */
  forget(idLow: number): void {
    this.#waiters.delete(idLow);
  }

  /** This member was elected. */
  leaderElected(nowMs: number): void {
    this.#electedAt = nowMs;
  }

  /** Fails everyone who waits too long. Called regularly; its period is the timeout's accuracy. */
  sweep(nowMs: number): void {
    this.#marks.push({ at: nowMs, idLow: this.#idLow });
    let expired = 0;
    let before = -1;
    while (this.#marks[expired]!.at <= nowMs - this.#options.timeoutMs) {
      before = this.#marks[expired]!.idLow;
      expired++;
    }
    if (expired === 0) return;
    const startedAt = this.#marks[expired - 1]!.at;
    this.#marks = this.#marks.slice(expired);
    const error = this.#timeoutOf(startedAt);
    // Registered in the order of ids, so the oldest come first.
    for (const [idLow, waiter] of this.#waiters) {
      if (idLow > before) break;
      this.failures++;
      this.#waiters.delete(idLow);
      waiter.failed(error);
    }
  }

  /** What etcd says of a proposal that was made then and not applied in time. */
  #timeoutOf(startedAt: number): EtcdError {
    const { leaderFailWindowMs, isConnectedSince } = this.#options;
    const lostAt = this.#electedAt - leaderFailWindowMs;
    if (startedAt > lostAt && startedAt < this.#electedAt) return errTimeoutDueToLeaderFail;
    if (isConnectedSince?.(startedAt) === false) return errTimeoutDueToConnectionLost;
    return errTimeout;
  }

  /** Fails everyone, now and later. */
  stop(): void {
    this.#isStopped = true;
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.failed(errStopped);
  }
}
