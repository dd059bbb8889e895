import { assert } from "../base/assert.ts";
import { ConfChangeType, type ConfChange } from "./message.ts";
import type { ConfState, RaftId } from "./types.ts";

// CC1  A node is a voter or a learner, never both.
// CC2  A simple change alters the voters by one node at most, and never removes the last voter.

/** @forTests */
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** The configuration after one simple (v1) change. Pure. */
export function applySimpleChange(conf: ConfState, change: ConfChange): ConfState {
  assert(conf.votersOutgoing.length === 0, "a simple change cannot be applied in a joint state");
  if (change.nodeId === 0n) return conf;
  const id = change.nodeId;
  switch (change.type) {
    case ConfChangeType.addNode:
      return { ...conf, voters: withId(conf.voters, id), learners: withoutId(conf.learners, id) };
    case ConfChangeType.addLearner:
      return checked({
        ...conf,
        voters: withoutId(conf.voters, id),
        learners: withId(conf.learners, id),
      });
    case ConfChangeType.removeNode:
      return checked({
        ...conf,
        voters: withoutId(conf.voters, id),
        learners: withoutId(conf.learners, id),
      });
    case ConfChangeType.updateNode:
      return conf;
  }
}

/** Whether the node counts in elections: a voter of either half of a joint configuration. */
export function isVoter(conf: ConfState, id: RaftId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

function checked(conf: ConfState): ConfState {
  assert(conf.voters.length > 0, "a configuration change removed the last voter");
  return conf;
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
