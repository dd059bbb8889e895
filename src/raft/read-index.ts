import { jointVote } from "./quorum.ts";
import type { ConfState, RaftId, ReadState } from "./types.ts";

// RI1  A context names one attempt: acknowledgements of an earlier attempt never count for it.
// RI2  The index is the commit index at the time of the request, and only a leader that has
//      committed an entry of its term knows it; before that, requests are postponed.
// RI3  Requests complete in the order they were made; a confirmed one confirms all before it.

interface PendingRead {
  readonly context: number;
  readonly index: number;
  readonly acks: Set<RaftId>;
}

/** The leader's linearizable reads that wait for proof of leadership. */
export class ReadIndexTracker {
  #postponed: number[] = [];
  #pending: PendingRead[] = [];

  /** Keeps the request until the first commit of the term (RI2). */
  postpone(context: number): void {
    this.#postponed.push(context);
  }

  takePostponed(): number[] {
    const contexts = this.#postponed;
    this.#postponed = [];
    return contexts;
  }

  add(context: number, index: number): void {
    this.#pending.push({ context, index, acks: new Set() });
  }

  /** `id` confirmed the leadership for `context`. Returns the reads this completes, in order. */
  acknowledge(context: number, id: RaftId, conf: ConfState): ReadState[] {
    const at = this.#pending.findIndex((read) => read.context === context);
    if (at < 0) return [];
    const { acks } = this.#pending[at]!;
    acks.add(id);
    const heard = (voter: RaftId): boolean | undefined => acks.has(voter) || undefined;
    if (jointVote(conf.voters, conf.votersOutgoing, heard) !== "won") return [];
    return this.#pending.splice(0, at + 1).map((read) => ({
      context: read.context,
      index: read.index,
    }));
  }

  /** Drops everything: the leadership the requests relied on is over. */
  reset(): void {
    this.#postponed = [];
    this.#pending = [];
  }
}
