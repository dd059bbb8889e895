import type { RaftId } from "./types.ts";

/**
 * Majority arithmetic. A joint configuration is two sets of voters; both must agree. An empty set
 * agrees with everything, so a simple configuration is a joint one with an empty second half.
 */

export type VoteResult = "pending" | "won" | "lost";

/** How many of `count` voters make a majority. @forTests */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** Matches of one question, in descending order; filled and read within one call. */
const sorted: number[] = [];

/**
 * The highest index that a majority of `voters` acknowledged; Infinity for no voters. Makes no
 * garbage: a leader asks after each acknowledgement.
 * @forTests
 */
export function majorityCommitted(
  voters: readonly RaftId[],
  matchOf: (id: RaftId) => number,
): number {
  const count = voters.length;
  if (count === 0) return Infinity;
  for (let i = 0; i < count; i++) {
    const match = matchOf(voters[i]!);
    let at = i;
    while (at > 0 && sorted[at - 1]! < match) {
      sorted[at] = sorted[at - 1]!;
      at--;
    }
    sorted[at] = match;
  }
  return sorted[majority(count) - 1]!;
}

/**
 * The result of a vote among `voters`; `voteOf` is undefined while a voter has not answered.
 * @forTests
 */
export function majorityVote(
  voters: readonly RaftId[],
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majority(voters.length);
  if (voters.length === 0 || granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

export function jointCommitted(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  matchOf: (id: RaftId) => number,
): number {
  return Math.min(majorityCommitted(incoming, matchOf), majorityCommitted(outgoing, matchOf));
}

export function jointVote(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  const one = majorityVote(incoming, voteOf);
  const other = majorityVote(outgoing, voteOf);
  if (one === other) return one;
  return one === "lost" || other === "lost" ? "lost" : "pending";
}
