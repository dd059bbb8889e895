/**
 * M1: configurations change by one voter at a time unless they are joint, everybody applies the
 * same ones, and only voters of the configuration count in votes and commits.
 */

import type { ConfState } from "../../src/raft/types.ts";

/** A configuration as some member applied it. */
export interface AppliedConf {
  readonly member: string;
  readonly index: number;
  readonly conf: ConfState;
}

/** The violations, one text each. `first`: before the first change. */
export function checkConfs(applied: readonly AppliedConf[], first: ConfState): string[] {
  const violations: string[] = [];
  const byIndex = new Map<number, AppliedConf>();
  for (const one of applied) {
    const other = byIndex.get(one.index);
    if (other === undefined) byIndex.set(one.index, one);
    else if (textOf(other.conf) !== textOf(one.conf)) {
      violations.push(
        `M1: index ${one.index}: ${other.member} ${textOf(other.conf)}, ` +
          `${one.member} ${textOf(one.conf)}`,
      );
    }
  }
  let before = first;
  for (const { index, conf } of [...byIndex.values()].sort((a, b) => a.index - b.index)) {
    const problem = stepProblem(before, conf);
    if (problem !== null) violations.push(`M1: index ${index}: ${problem}`);
    before = conf;
  }
  return violations;
}

function stepProblem(before: ConfState, after: ConfState): string | null {
  const voters = new Set(after.voters);
  if (voters.size === 0) return "no voter is left";
  if (after.learners.some((id) => voters.has(id))) return "a member is voter and learner";
  if (isJoint(after) || isJoint(before)) return null;
  const old = new Set(before.voters);
  const changed = [...voters].filter((id) => !old.has(id)).length;
  const gone = [...old].filter((id) => !voters.has(id)).length;
  return changed + gone > 1 ? `${changed} voters came and ${gone} went at once` : null;
}

function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

export interface Backing {
  readonly what: string;
  /** Members that voted, or hold the entry synced. */
  readonly by: readonly bigint[];
  readonly conf: ConfState;
}

/** Whether a majority of voters (of both halves, if joint) stands behind an election or a commit. */
export function checkBacking({ what, by, conf }: Backing): string[] {
  const violations: string[] = [];
  for (const voters of [conf.voters, conf.votersOutgoing]) {
    if (voters.length === 0) continue;
    const count = voters.filter((id) => by.includes(id)).length;
    if (count * 2 > voters.length) continue;
    violations.push(`M1: ${what}: ${count} of ${voters.length} voters`);
  }
  return violations;
}

function textOf(conf: ConfState): string {
  const lists = [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext];
  return lists.map((ids) => [...ids].sort().join(",")).join("/");
}
