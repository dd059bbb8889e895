/** --strict-reconfig-check: whether a change leaves the cluster able to work (semantics.md 10). */

import type { Member } from "./member.ts";

/** A member counts as connected when it has been for at least this long, in ms (as in etcd). */
export const healthIntervalMs = 5000;

/** Clock.now() of when the member became active; null while it is not. */
export type ActiveSince = (id: bigint) => number | null;

/** Voters needed of `count`. @forTests */
export function quorumOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

const isStarted = (member: Member): boolean => member.name !== "";

/** Enough voters have started for one more that has not. */
export function hasQuorumWithNewVoter(voters: readonly Member[]): boolean {
  const started = voters.filter(isStarted).length;
  // A cluster of one may always grow: that is how a restored one does.
  if (voters.length === 1 && started === 1) return true;
  return started >= quorumOf(voters.length + 1);
}

/** Enough of the other voters have started. */
export function hasQuorumWithout(voters: readonly Member[], id: bigint): boolean {
  const others = voters.filter((member) => member.id !== id);
  return others.filter(isStarted).length >= quorumOf(others.length);
}

/** Enough voters have started once a learner, which has, is one of them. */
export function hasQuorumWithPromoted(voters: readonly Member[]): boolean {
  return voters.filter(isStarted).length + 1 >= quorumOf(voters.length + 1);
}

/** How many voters, the local one included, have been connected since `sinceMs` or longer. */
export function connectedSince(
  voters: readonly Member[],
  localId: bigint,
  activeSince: ActiveSince,
  sinceMs: number,
): number {
  let connected = 0;
  for (const { id } of voters) {
    const since = id === localId ? -Infinity : activeSince(id);
    if (since !== null && since < sinceMs) connected++;
  }
  return connected;
}

/** A quorum is connected, the new voter, which is not, counted in (etcd PR 21667). */
export function isHealthyForNewMember(voters: number, connected: number): boolean {
  return voters === 1 || connected >= quorumOf(voters + 1);
}

/** Without one connected voter, what stays is still more than a quorum of the rest. */
export function isHealthyForRemoval(voters: number, connected: number): boolean {
  return connected - 1 >= 1 + Math.floor((voters - 1) / 2);
}
