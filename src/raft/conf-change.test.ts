import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  applyConfChange,
  applySimpleChange,
  checkedConfState,
  ConfChangeError,
  ConfChangeTransition as Transition,
  emptyConfState,
  isJoint,
  isLearner,
  isMember,
  isVoter,
  membersOf,
  type ConfChangeV2,
} from "./conf-change.ts";
import { ConfChangeType as T, type ConfChange } from "./message.ts";
import type { ConfState, RaftId } from "./types.ts";

const numRuns = Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 15_000);

/** "v1 l2 r3 u4": make 1 a voter and 2 a learner, remove 3, update 4. */
function changes(text: string): ConfChange[] {
  const types: Record<string, ConfChange["type"]> = {
    v: T.addNode,
    l: T.addLearner,
    r: T.removeNode,
    u: T.updateNode,
  };
  const words = text.split(" ").filter((word) => word !== "");
  return words.map((word) => ({ type: types[word[0]!]!, nodeId: BigInt(word.slice(1)) }));
}

function show(conf: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = conf;
  return (
    `(${voters.join(" ")})(${votersOutgoing.join(" ")}) ` +
    `l(${learners.join(" ")}) n(${learnersNext.join(" ")})${autoLeave ? " auto" : ""}`
  );
}

/** Applies each step ("auto ...", "implicit ...", "explicit ...") and shows what comes of it. */
function script(...steps: string[]): string[] {
  let conf = emptyConfState;
  return steps.map((step) => {
    const [kind, ...rest] = step.split(" ");
    const transition =
      kind === "implicit"
        ? Transition.jointImplicit
        : kind === "explicit"
          ? Transition.jointExplicit
          : Transition.auto;
    try {
      conf = applyConfChange(conf, { transition, changes: changes(rest.join(" ")) });
      return show(conf);
    } catch (error) {
      if (error instanceof ConfChangeError) return error.refusal;
      throw error;
    }
  });
}

test("simple changes keep a node in one role", () => {
  let conf = emptyConfState;
  const step = (text: string): string => {
    conf = applySimpleChange(conf, changes(text)[0]!);
    return `${conf.voters.join()}|${conf.learners.join()}`;
  };
  assert.equal(step("v3"), "3|");
  assert.equal(step("v3"), "3|");
  assert.equal(step("l1"), "3|1");
  assert.equal(step("v1"), "1,3|");
  assert.equal(step("l3"), "1|3");
  assert.equal(step("u1"), "1|3");
  assert.equal(step("r0"), "1|3");
  assert.equal(isVoter(conf, 3n), false);
  assert.equal(isLearner(conf, 3n), true);
  assert.equal(step("r3"), "1|");
  assert.throws(() => step("r1"), { refusal: "removesAllVoters" });
});

test("one change without a transition is simple, several are joint and leave by themselves", () => {
  assert.deepEqual(script("auto v1", "auto v2 v3", "auto", "auto v4", "implicit r4", "auto"), [
    "(1)() l() n()",
    "(1 2 3)(1) l() n() auto",
    "(1 2 3)() l() n()",
    "(1 2 3 4)() l() n()",
    "(1 2 3)(1 2 3 4) l() n() auto",
    "(1 2 3)() l() n()",
  ]);
});

test("a voter that becomes a learner in a joint state waits in learnersNext", () => {
  assert.deepEqual(script("auto v1", "explicit v2 v3", "auto", "explicit l1 r3", "auto"), [
    "(1)() l() n()",
    "(1 2 3)(1) l() n()",
    "(1 2 3)() l() n()",
    "(2)(1 2 3) l() n(1)",
    "(2)() l(1) n()",
  ]);
});

test("changes within one joint change see those before them", () => {
  assert.deepEqual(script("auto v1", "explicit v2 r2 l2 v2 l1 l1 v1 r1 l1 l3 r3"), [
    "(1)() l() n()",
    "(2)(1) l() n(1)",
  ]);
});

test("changes that cannot be made are refused and change nothing", () => {
  assert.deepEqual(
    script(
      "auto l1",
      "implicit v1 v2",
      "auto",
      "auto v1",
      "auto",
      "auto r1",
      "explicit r1",
      "explicit v2",
      "auto v3",
      "explicit v3",
      "auto v3 v4",
      "auto",
    ),
    [
      "removesAllVoters",
      "noVotersToLeave",
      "notJoint",
      "(1)() l() n()",
      "notJoint",
      "removesAllVoters",
      "removesAllVoters",
      "(1 2)(1) l() n()",
      "alreadyJoint",
      "alreadyJoint",
      "alreadyJoint",
      "(1 2)() l() n()",
    ],
  );
});

test("a configuration from elsewhere is put in order, or refused if it contradicts itself", () => {
  const conf = (parts: Partial<ConfState>): ConfState => ({ ...emptyConfState, ...parts });
  assert.equal(
    show(checkedConfState(conf({ voters: [3n, 1n], learners: [9n, 4n] }))),
    "(1 3)() l(4 9) n()",
  );
  assert.deepEqual(checkedConfState(emptyConfState), emptyConfState);
  const bad: Partial<ConfState>[] = [
    { voters: [1n, 1n] },
    { voters: [0n] },
    { voters: [1n], learners: [1n] },
    { voters: [1n], votersOutgoing: [2n], learners: [2n] },
    { voters: [1n], votersOutgoing: [2n], learnersNext: [3n] },
    { voters: [1n], votersOutgoing: [1n], learnersNext: [1n] },
    { voters: [1n], autoLeave: true },
    { learners: [1n] },
    { votersOutgoing: [1n] },
  ];
  for (const parts of bad) {
    assert.throws(() => checkedConfState(conf(parts)), { refusal: "invalidConfState" });
  }
});

type Role = "voter" | "learner" | "none";

/** The same rules told node by node: a role now, and whether the node is in the outgoing half. */
class Model {
  roles: Role[] = Array<Role>(7).fill("none");
  outgoing: boolean[] = Array<boolean>(7).fill(false);
  autoLeave = false;

  apply(change: ConfChangeV2): boolean {
    const isLeave = change.transition === 0 && change.changes.length === 0;
    const isEnter = change.transition !== 0 || change.changes.length > 1;
    const wasJoint = this.outgoing.includes(true);
    if (isLeave !== wasJoint) return false;
    if (isLeave) {
      this.outgoing.fill(false);
      this.autoLeave = false;
      return true;
    }
    if (isEnter && !this.roles.includes("voter")) return false;
    const roles = [...this.roles];
    for (const { type, nodeId } of change.changes) {
      if (nodeId === 0n || type === T.updateNode) continue;
      roles[Number(nodeId)] =
        type === T.addNode ? "voter" : type === T.addLearner ? "learner" : "none";
    }
    const moved = roles.filter((role, id) => (role === "voter") !== (this.roles[id] === "voter"));
    if (!roles.includes("voter") || (!isEnter && moved.length > 1)) return false;
    if (isEnter) this.outgoing = this.roles.map((role) => role === "voter");
    this.autoLeave = isEnter && change.transition !== 2;
    this.roles = roles;
    return true;
  }

  conf(): ConfState {
    const where = (test: (role: Role, id: number) => boolean): RaftId[] =>
      this.roles.flatMap((role, id) => (test(role, id) ? [BigInt(id)] : []));
    return {
      voters: where((role) => role === "voter"),
      learners: where((role, id) => role === "learner" && !this.outgoing[id]),
      votersOutgoing: where((_, id) => this.outgoing[id]!),
      learnersNext: where((role, id) => role === "learner" && this.outgoing[id]!),
      autoLeave: this.autoLeave,
    };
  }
}

const change: fc.Arbitrary<ConfChangeV2> = fc.record({
  transition: fc.constantFrom(0, 0, 0, 1, 2),
  changes: fc.array(
    fc.record({ type: fc.constantFrom(0, 1, 2, 3), nodeId: fc.bigInt({ min: 0n, max: 6n }) }),
    { maxLength: 4 },
  ),
});

/** Whether the nodes of `set` (a bit each) decide alone. */
function isQuorum(conf: ConfState, set: number): boolean {
  return [conf.voters, conf.votersOutgoing].every((ids) => {
    const have = ids.filter((id) => (set >> Number(id)) & 1).length;
    return ids.length === 0 || have * 2 > ids.length;
  });
}

/** Whether some quorum of each has no node in common, found by trying all sets of 1 to 6. */
function canSplit(one: ConfState, other: ConfState): boolean {
  for (let set = 0; set < 128; set += 2) {
    if (isQuorum(one, set) && isQuorum(other, 126 & ~set)) return true;
  }
  return false;
}

test("any series of changes does what it does node by node, and quorums always overlap", () => {
  const property = fc.property(fc.array(change, { maxLength: 20 }), (series) => {
    const model = new Model();
    let conf = emptyConfState;
    for (const step of [{ transition: 0, changes: changes("v1") } as const, ...series]) {
      const before = conf;
      try {
        conf = applyConfChange(conf, step);
      } catch (error) {
        assert.ok(error instanceof ConfChangeError);
      }
      assert.equal(model.apply(step), before !== conf || isNothing(step, before));
      assert.deepEqual(conf, model.conf());
      assert.deepEqual(checkedConfState(conf), conf);
      assert.deepEqual(
        membersOf(conf),
        [1n, 2n, 3n, 4n, 5n, 6n].filter((id) => isMember(conf, id)),
      );
      if (before.voters.length > 0) assert.equal(canSplit(before, conf), false);
    }
  });
  fc.assert(property, { numRuns });
});

/** A simple change that is taken and leaves everything as it is. */
function isNothing(step: ConfChangeV2, conf: ConfState): boolean {
  if (isJoint(conf) || step.transition !== 0 || step.changes.length !== 1) return false;
  const { type, nodeId } = step.changes[0]!;
  if (nodeId === 0n || type === T.updateNode) return true;
  return type === T.addLearner && isLearner(conf, nodeId);
}
