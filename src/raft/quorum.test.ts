import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jointCommitted, jointVote, majority, majorityCommitted, majorityVote } from "./quorum.ts";

const numRuns = Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 20_000);

const voters = fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 7 });
const matches = fc.array(fc.nat(12), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 });

/** The largest index that at least half plus one have, found by trying all. */
function bruteCommitted(ids: bigint[], matchOf: (id: bigint) => number): number {
  if (ids.length === 0) return Infinity;
  for (let index = 12; index >= 0; index--) {
    const have = ids.filter((id) => matchOf(id) >= index).length;
    if (have * 2 > ids.length) return index;
  }
  throw new Error("unreachable");
}

/** Fills in the missing votes in every way: what all fillings agree on is decided. */
function bruteVote(
  sets: bigint[][],
  voteOf: (id: bigint) => boolean | undefined,
): "won" | "lost" | "pending" {
  const all = [...new Set(sets.flat())];
  const missing = all.filter((id) => voteOf(id) === undefined);
  let couldWin = false;
  let couldLose = false;
  for (let filling = 0; filling < 1 << missing.length; filling++) {
    const granted = (id: bigint): boolean => {
      const at = missing.indexOf(id);
      return at < 0 ? voteOf(id) === true : (filling & (1 << at)) !== 0;
    };
    const isWon = sets.every(
      (ids) => ids.length === 0 || ids.filter(granted).length * 2 > ids.length,
    );
    if (isWon) couldWin = true;
    else couldLose = true;
  }
  if (couldWin && couldLose) return "pending";
  return couldWin ? "won" : "lost";
}

test("a majority is more than half", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(majority), [1, 2, 2, 3, 3, 4, 4]);
});

test("the committed index is what brute force finds, simple and joint", () => {
  const property = fc.property(voters, voters, matches, (incoming, outgoing, match) => {
    const matchOf = (id: bigint): number => match[Number(id)]!;
    assert.equal(majorityCommitted(incoming, matchOf), bruteCommitted(incoming, matchOf));
    assert.equal(
      jointCommitted(incoming, outgoing, matchOf),
      Math.min(bruteCommitted(incoming, matchOf), bruteCommitted(outgoing, matchOf)),
    );
  });
  fc.assert(property, { numRuns });
});

test("a vote is decided as soon as no missing vote can change it", () => {
  const property = fc.property(voters, voters, votes, (incoming, outgoing, vote) => {
    const voteOf = (id: bigint): boolean | undefined => vote[Number(id)];
    assert.equal(majorityVote(incoming, voteOf), bruteVote([incoming], voteOf));
    const joint = jointVote(incoming, outgoing, voteOf);
    const expected = bruteVote([incoming, outgoing], voteOf);
    // Voters of both halves may make the outcome certain before each half sees it.
    if (expected === "pending") assert.equal(joint, "pending");
    else assert.ok(joint === expected || joint === "pending");
    const isComplete = [...incoming, ...outgoing].every((id) => voteOf(id) !== undefined);
    if (isComplete) assert.equal(joint, expected);
  });
  fc.assert(property, { numRuns });
});
