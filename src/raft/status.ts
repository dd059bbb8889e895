import type { ProgressState } from "./progress.ts";
import type { RaftId, RoleName } from "./types.ts";

export interface RaftStatus {
  readonly id: RaftId;
  readonly role: RoleName;
  readonly leader: RaftId;
  readonly term: number;
  readonly vote: RaftId;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly syncedIndex: number;
  /** The voter leadership is being handed to; 0n for none. */
  readonly transferee: RaftId;
}

/** A member's log as the leader sees it. */
export interface MemberProgress {
  readonly id: RaftId;
  /** The member has synced the leader's log up to here. */
  readonly match: number;
  /** The next entry to be sent. */
  readonly next: number;
  readonly state: ProgressState;
  readonly isLearner: boolean;
  /** Something came from it in the current or the last election timeout. */
  readonly isRecentlyActive: boolean;
}
