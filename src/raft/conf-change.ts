import { ConfChangeType, type ConfChange } from "./message.ts";
import type { ConfState, RaftId } from "./types.ts";

// CC1  A node is a voter (of either half) or a learner, never both.
// CC2  A simple change alters the voters by one node at most, and never removes the last voter.
// CC3  learnersNext are voters of the outgoing half only; they become learners when it is left.
// CC4  Outside a joint state votersOutgoing and learnersNext are empty and autoLeave is false.
// CC5  Ids are in ascending order, so equal configurations have equal bytes.

/** etcd's raftpb.ConfChangeTransition. @forTests */
export const ConfChangeTransition = { auto: 0, jointImplicit: 1, jointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

/** A decoded raftpb.ConfChangeV2, as far as raft needs it. Auto without changes leaves a joint state. */
export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  /** Made in order, as one. */
  readonly changes: readonly ConfChange[];
}

/** Why a change cannot be made to a configuration. */
export type ConfChangeRefusal =
  | "alreadyJoint"
  | "notJoint"
  | "noVotersToLeave"
  | "removesAllVoters"
  | "tooManyVoters"
  | "invalidConfState";

const refusalText: Record<ConfChangeRefusal, string> = {
  alreadyJoint: "the configuration is already joint",
  notJoint: "the configuration is not joint",
  noVotersToLeave: "a configuration without voters cannot become joint",
  removesAllVoters: "the change removes all voters",
  tooManyVoters: "more than one voter changes without a joint state",
  invalidConfState: "the configuration contradicts itself",
};

/** A change that was refused; the configuration stays as it was. */
export class ConfChangeError extends Error {
  override readonly name = "ConfChangeError";
  readonly refusal: ConfChangeRefusal;

  constructor(refusal: ConfChangeRefusal) {
    super(refusalText[refusal]);
    this.refusal = refusal;
  }
}

/** No members at all: a node before its bootstrap or first snapshot. @forTests */
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** Whether the change ends a joint state; else it makes a simple change or begins a joint one. */
function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.auto && change.changes.length === 0;
}

/** Whether the change begins a joint state: asked for, or needed for several changes at once. */
function entersJoint(change: ConfChangeV2): boolean {
  return change.transition !== ConfChangeTransition.auto || change.changes.length > 1;
}

/** The configuration after a change of either kind. Pure. Throws {@link ConfChangeError}. */
export function applyConfChange(conf: ConfState, change: ConfChangeV2): ConfState {
  if (leavesJoint(change)) return leaveJoint(conf);
  if (!entersJoint(change)) return applySimple(conf, change.changes);
  const isAutoLeave = change.transition !== ConfChangeTransition.jointExplicit;
  return enterJoint(conf, isAutoLeave, change.changes);
}

/** The configuration after one simple (v1) change. Pure. Throws {@link ConfChangeError}. */
export function applySimpleChange(conf: ConfState, change: ConfChange): ConfState {
  return applySimple(conf, [change]);
}

/**
 * Changes that alter the voters by one at most (CC2).
 */
function applySimple(conf: ConfState, changes: readonly ConfChange[]): ConfState {
  if (isJoint(conf)) throw new ConfChangeError("alreadyJoint");
  const next = withChanges(conf, changes);
  const added = next.voters.filter((id) => !conf.voters.includes(id)).length;
  const removed = conf.voters.filter((id) => !next.voters.includes(id)).length;
  if (added + removed > 1) throw new ConfChangeError("tooManyVoters");
  return next;
}

/**
 * Begins a joint state: the voters become the outgoing half, the changes make the incoming one.
 */
function enterJoint(
  conf: ConfState,
  autoLeave: boolean,
  changes: readonly ConfChange[],
): ConfState {
  if (isJoint(conf)) throw new ConfChangeError("alreadyJoint");
  if (conf.voters.length === 0) throw new ConfChangeError("noVotersToLeave");
  return withChanges({ ...conf, votersOutgoing: conf.voters, autoLeave }, changes);
}

/**
 * Ends a joint state: the incoming half decides alone.
 */
function leaveJoint(conf: ConfState): ConfState {
  if (!isJoint(conf)) throw new ConfChangeError("notJoint");
  const learners = conf.learnersNext.reduce(withId, conf.learners); // CC3
  return { ...conf, learners, votersOutgoing: [], learnersNext: [], autoLeave: false }; // CC4
}

/**
 * A configuration from elsewhere (a snapshot, a file) in canonical order.
 * Throws {@link ConfChangeError} "invalidConfState" if it breaks CC1, CC3 or CC4.
 */
export function checkedConfState(conf: ConfState): ConfState {
  const { voters, learners, votersOutgoing, learnersNext } = conf;
  const isValid =
    [voters, learners, votersOutgoing, learnersNext].every(isSetOfIds) &&
    learners.every((id) => !voters.includes(id) && !votersOutgoing.includes(id)) &&
    learnersNext.every((id) => votersOutgoing.includes(id) && !voters.includes(id)) &&
    (isJoint(conf) || !conf.autoLeave) &&
    (voters.length > 0 || (learners.length === 0 && !isJoint(conf)));
  if (!isValid) throw new ConfChangeError("invalidConfState");
  return {
    voters: [...voters].sort(byId),
    learners: [...learners].sort(byId),
    votersOutgoing: [...votersOutgoing].sort(byId),
    learnersNext: [...learnersNext].sort(byId),
    autoLeave: conf.autoLeave,
  };
}

export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Whether the node counts in elections: a voter of either half of a joint configuration. */
export function isVoter(conf: ConfState, id: RaftId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** Whether the node is a learner now; one that waits in learnersNext is still a voter. */
export function isLearner(conf: ConfState, id: RaftId): boolean {
  return conf.learners.includes(id);
}

/** Whether the node takes part at all. */
export function isMember(conf: ConfState, id: RaftId): boolean {
  return isVoter(conf, id) || isLearner(conf, id);
}

/** Every member once, in ascending order. */
export function membersOf(conf: ConfState): readonly RaftId[] {
  const ids = new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]);
  return [...ids].sort(byId); // CC3: learnersNext are among votersOutgoing
}

function withChanges(conf: ConfState, changes: readonly ConfChange[]): ConfState {
  const next = changes.reduce(withChange, conf);
  if (next.voters.length === 0) throw new ConfChangeError("removesAllVoters");
  return next;
}

function withChange(conf: ConfState, change: ConfChange): ConfState {
  const id = change.nodeId;
  if (id === 0n) return conf;
  switch (change.type) {
    case ConfChangeType.addNode: {
      const rest = without(conf, id);
      return { ...rest, voters: withId(rest.voters, id) };
    }
    case ConfChangeType.addLearner: {
      if (isLearner(conf, id)) return conf;
      const rest = without(conf, id);
      if (conf.votersOutgoing.includes(id)) {
        return { ...rest, learnersNext: withId(rest.learnersNext, id) }; // CC3
      }
      return { ...rest, learners: withId(rest.learners, id) };
    }
    case ConfChangeType.removeNode:
      return without(conf, id);
    case ConfChangeType.updateNode:
      return conf;
  }
}

/** The node out of everything but the outgoing half, which no change touches. */
function without(conf: ConfState, id: RaftId): ConfState {
  return {
    ...conf,
    voters: withoutId(conf.voters, id),
    learners: withoutId(conf.learners, id),
    learnersNext: withoutId(conf.learnersNext, id),
  };
}

function isSetOfIds(ids: readonly RaftId[]): boolean {
  return new Set(ids).size === ids.length && !ids.includes(0n);
}

function withId(ids: readonly RaftId[], id: RaftId): readonly RaftId[] {
  return ids.includes(id) ? ids : [...ids, id].sort(byId);
}

function withoutId(ids: readonly RaftId[], id: RaftId): readonly RaftId[] {
  return ids.includes(id) ? ids.filter((other) => other !== id) : ids;
}

function byId(a: RaftId, b: RaftId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
