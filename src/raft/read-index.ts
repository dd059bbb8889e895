import { jointCommitted } from "./quorum.ts";
import type { ConfState, RaftId } from "./types.ts";

// RI1  A round's number is used once in a term, and acknowledgements name it: those of an earlier
//      round never count for a later one (etcd 20418).
// RI2  The index is the commit index at the time of the request, and only a leader that has
//      committed an entry of its term knows it; before that, requests are postponed.
// RI3  Requests complete in the order they were made; a confirmed one confirms all before it.

/** Most reads a leader keeps; each member has one under way, and repeats it now and then. */
const pendingReadsMax = 4096;

/** A read a leader was asked for. */
export interface ReadRequest {
  /** The member that asked; 0n for the leader itself. */
  readonly from: RaftId;
  /** The leader's own: as given to readIndex. */
  readonly context: number;
  /** Another member's: sent back as it came. */
  readonly data: Uint8Array;
}

/** A read that may be answered with `index`. */
export interface ConfirmedRead {
  readonly request: ReadRequest;
  readonly index: number;
}

interface PendingRead extends ConfirmedRead {
  /** The heartbeat round that confirms it. */
  readonly round: number;
}

/** The leader's linearizable reads that wait for proof of leadership. */
export class ReadIndexTracker {
  #postponed: ReadRequest[] = [];
  #pending: PendingRead[] = [];
  /** The number the next round will have; reads that come before it begins share it. */
  #nextRound = 1;
  readonly #acknowledged = new Map<RaftId, number>();

  /** Keeps the request until the first commit of the term (RI2). False: too many. */
  postpone(request: ReadRequest): boolean {
    if (this.#postponed.length >= pendingReadsMax) return false;
    this.#postponed.push(request);
    return true;
  }

  takePostponed(): ReadRequest[] {
    const requests = this.#postponed;
    this.#postponed = [];
    return requests;
  }

  get hasPostponed(): boolean {
    return this.#postponed.length > 0;
  }

  /** Reads wait for a round that has not begun. */
  get wantsRound(): boolean {
    const newest = this.#pending[this.#pending.length - 1];
    return newest !== undefined && newest.round === this.#nextRound;
  }

  /** The read takes part in the next round. False: too many. */
  add(request: ReadRequest, index: number): boolean {
    if (this.#pending.length >= pendingReadsMax) return false;
    this.#pending.push({ request, index, round: this.#nextRound });
    return true;
  }

  /** Begins a round with all reads that wait; returns its number, 0 if none waits. */
  beginRound(): number {
    if (this.#pending.length === 0) return 0;
    return this.#nextRound++; // RI1
  }

  /** The member answered round `round` as one of this term. Returns the reads this completes. */
  acknowledge(round: number, id: RaftId, self: RaftId, conf: ConfState): readonly ConfirmedRead[] {
    if (round >= this.#nextRound) return none; // never asked
    if (round <= (this.#acknowledged.get(id) ?? 0)) return none;
    this.#acknowledged.set(id, round);
    const roundOf = (voter: RaftId): number =>
      voter === self ? this.#nextRound - 1 : (this.#acknowledged.get(voter) ?? 0);
    const confirmed = jointCommitted(conf.voters, conf.votersOutgoing, roundOf);
    const count = this.#pending.findIndex((read) => read.round > confirmed);
    if (count === 0) return none;
    return this.#pending.splice(0, count < 0 ? this.#pending.length : count); // RI3
  }
}

const none: readonly ConfirmedRead[] = [];

/** Bytes of a round's number and of a member's read context on the wire. */
const contextBytes = 8;

/** A round's number as a heartbeat carries it. */
export function encodeRound(round: number): Uint8Array {
  return encode(0, round);
}

/** The round a heartbeat's answer carries; 0 if it carries none of ours. */
export function decodeRound(context: Uint8Array): number {
  return context.length === contextBytes && high16(context) === 0 ? low48(context) : 0;
}

/** A read context of member `id`, so that no two members' are equal. */
export function encodeReadContext(id: RaftId, context: number): Uint8Array {
  return encode(Number(id & 0xffffn), context);
}

/** The context of member `id`'s own read; -1 if it is none of its. */
export function decodeReadContext(id: RaftId, data: Uint8Array): number {
  if (data.length !== contextBytes || high16(data) !== Number(id & 0xffffn)) return -1;
  return low48(data);
}

/** Most significant byte first, as Go etcd's request ids. */
function encode(high: number, low: number): Uint8Array {
  const bytes = new Uint8Array(contextBytes);
  bytes[0] = high >>> 8;
  bytes[1] = high;
  let rest = low;
  for (let at = contextBytes - 1; at >= 2; at--) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function high16(bytes: Uint8Array): number {
  return bytes[0]! * 256 + bytes[1]!;
}

function low48(bytes: Uint8Array): number {
  let value = 0;
  for (let at = 2; at < contextBytes; at++) value = value * 256 + bytes[at]!;
  return value;
}
