// Bounded exhaustive exploration of three nodes of src/raft: every order of deliveries, losses,
// duplicates, timeouts, crashes, completed syncs, proposals and reads within the depth.
//   node test/raft/explore.test.ts --depth 9      explores deeper and tells the states met
import "./open-fields.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArgs } from "node:util";
import { createRandom } from "../../src/base/random.ts";
import type { NodeOptions } from "./explore-node.ts";

const { startNames, startState } = await import("./explore-starts.ts");
const { searchAll, walkAtRandom } = await import("./search.ts");

const { values } = parseArgs({ options: { depth: { type: "string" } }, strict: false });
const depthAsked = typeof values.depth === "string" ? Number(values.depth) : null;
/** Most depth; etcd's settings get one less in the quick run, as a leader's lease hides much. */
const depth = depthAsked ?? 4;
/** Room for four times the states that a depth has by experience; 9 bytes each. */
const slots = Math.min(16_000 * 5 ** Math.max(0, depth - 4), 120_000_000) + 7;

const plain: NodeOptions = {
  voters: [1n, 2n, 3n],
  preVote: false,
  checkQuorum: false,
  hasSmallMessages: true,
  fault: "none",
};
const etcds: NodeOptions = { ...plain, preVote: true, checkQuorum: true, hasSmallMessages: false };

for (const name of startNames) {
  for (const options of [plain, etcds]) {
    const kind = options === plain ? "plain raft" : "etcd's settings";
    test(`no order of events breaks a rule: ${name}, ${kind}`, (t) => {
      const most = options === etcds && depthAsked === null ? depth - 1 : depth;
      const { states, steps } = searchAll(startState(name, options), most, slots);
      assert.ok(states > 20, `${states} states`);
      t.diagnostic(`depth ${most}: ${states} states, ${steps} steps`);
    });
  }
}

const endless = { timeout: 999, crash: 999, propose: 999, read: 999, duplicate: 999 };

function walk(seed: number, options: NodeOptions): void {
  walkAtRandom({ ...startState("no leader", options), budget: endless }, 300, createRandom(seed));
}

test("long random walks break no rule", (t) => {
  const walks = depthAsked === null ? 100 : 20_000;
  for (let seed = 0; seed < walks; seed++) walk(seed, seed % 2 === 0 ? plain : etcds);
  t.diagnostic(`${walks} walks of 300 actions`);
});

const planted = [
  ["answersBeforeSync", "a leader", 4],
  ["losesSyncedEntry", "an entry committed without node 3", 2],
  ["forgetsVote", "two candidates, and one vote given", 5],
] as const;

for (const [fault, name, needed] of planted) {
  test(`a planted fault is found: ${fault}`, () => {
    assert.doesNotThrow(() => searchAll(startState(name, plain), needed, slots));
    assert.throws(() => searchAll(startState(name, { ...plain, fault }), needed, slots), /X\d/);
  });
}
