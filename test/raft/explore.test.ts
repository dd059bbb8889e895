// Bounded exhaustive exploration of three nodes of src/raft: every order of deliveries, losses,
// duplicates, timeouts, crashes, completed syncs, proposals and reads within the depth.
//   node test/raft/explore.test.ts --depth 9      explores deeper and tells the states met
import "./open-fields.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArgs } from "node:util";
import { createRandom } from "../../src/base/random.ts";
import type { NodeOptions } from "./explore-node.ts";
import type { Budget, State } from "./explore.ts";

const { after, initialState, settled } = await import("./explore.ts");
const { searchAll, walkAtRandom } = await import("./search.ts");

const { values } = parseArgs({ options: { depth: { type: "string" } }, strict: false });
const depthAsked = typeof values.depth === "string" ? Number(values.depth) : null;
const slots = depthAsked === null ? 400_009 : 120_000_007;

const all = [1n, 2n, 3n] as const;
const plain: NodeOptions = { voters: all, preVote: false, checkQuorum: false, fault: "none" };
const careful: NodeOptions = { ...plain, preVote: true, checkQuorum: true };
const budget: Budget = { timeout: 3, crash: 1, propose: 1, read: 1, duplicate: 1 };
const generous: Budget = { timeout: 99, crash: 99, propose: 99, read: 99, duplicate: 99 };

/** Times out until the node leads; of the others only those in `helpers` hear it. */
function elected(start: State, id: bigint, helpers: readonly bigint[]): State {
  let state = start;
  const isSticky = start.nodes[0]!.config.options.checkQuorum;
  for (let tries = 0; tries < 5; tries++) {
    // With check-quorum the others must have missed their leader before they vote.
    for (const helper of helpers) {
      if (helper !== id && isSticky)
        state = { ...after(state, { kind: "timeout", id: helper }), network: new Map() };
    }
    state = settled(after(state, { kind: "timeout", id }), helpers);
    if (state.nodes[Number(id) - 1]!.node.role === "leader") return state;
  }
  throw new Error(`node ${id} was not elected`);
}

function fresh(options: NodeOptions): State {
  return initialState(options, generous);
}

function withBudget(state: State, change: Partial<Budget> = {}): State {
  return { ...state, budget: { ...budget, ...change } };
}

const starts: Record<string, (options: NodeOptions) => State> = {
  "no leader": (options) => withBudget(fresh(options)),
  "a leader": (options) => withBudget(elected(fresh(options), 1n, all)),
  "a leader whose last entry nobody else has": (options) => {
    const led = elected(fresh(options), 1n, all);
    return withBudget(settled(after(led, { kind: "propose", id: 1n }), [1n]));
  },
  "an old leader with an entry of its own, and a new leader": (options) => {
    const led = elected(fresh(options), 1n, all);
    const apart = settled(after(led, { kind: "propose", id: 1n }), [1n]);
    return withBudget(elected(apart, 2n, [2n, 3n]));
  },
  "two leaders in turn, each with an entry of its own": (options) => {
    const led = elected(fresh(options), 1n, [1n, 2n]);
    const one = settled(after(led, { kind: "propose", id: 1n }), [1n]);
    const other = elected(one, 2n, [2n, 3n]);
    return withBudget(settled(after(other, { kind: "propose", id: 2n }), [2n]), { timeout: 2 });
  },
};

for (const [name, start] of Object.entries(starts)) {
  for (const options of [plain, careful]) {
    const kind = options === plain ? "plain raft" : "pre-vote and check-quorum";
    test(`no order of events breaks a rule: ${name}, ${kind}`, (t) => {
      const depth = depthAsked ?? 4;
      const { states, steps } = searchAll(start(options), depth, slots);
      assert.ok(states > 50, `${states} states`);
      t.diagnostic(`depth ${depth}: ${states} states, ${steps} steps`);
    });
  }
}

test("long random walks break no rule", (t) => {
  const walks = depthAsked === null ? 100 : 20_000;
  for (let seed = 0; seed < walks; seed++) {
    const options = seed % 2 === 0 ? plain : careful;
    walkAtRandom(fresh(options), 200, createRandom(seed));
  }
  t.diagnostic(`${walks} walks of 200 actions`);
});
