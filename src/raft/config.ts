import type { Random } from "../base/ports.ts";
import type { RaftId } from "./types.ts";

/** Settings of one raft node. Time is counted in ticks. */
export interface RaftConfig {
  /** This node. Never 0n. */
  readonly id: RaftId;
  /**
   * Silence after which a follower campaigns, drawn from [electionTicks, 2 * electionTicks - 1]. >
   * heartbeatTicks.
   */
  readonly electionTicks: number;
  /** Interval of the leader's heartbeats. >= 1. */
  readonly heartbeatTicks: number;
  /** Ask for votes without raising the term first. */
  readonly preVote: boolean;
  /** A leader steps down when it has not heard a quorum for an election timeout. */
  readonly checkQuorum: boolean;
  /** Most bytes of entries in one append message. >= 0. */
  readonly messageBytesMax: number;
  /** Most append messages under way to one follower. >= 1. */
  readonly inflightsMax: number;
  /** Most bytes of appends under way to one follower; the append that reaches it still goes. >= 1. */
  readonly inflightBytesMax: number;
  /** Most bytes of proposed, not yet committed entries; one proposal always fits. >= 1. */
  readonly uncommittedBytesMax: number;
  /** Most bytes of committed entries in one Ready; one entry always fits. >= 1. */
  readonly committedBytesPerReadyMax: number;
  /** Draws the election timeouts. */
  readonly random: Random;
}

/** etcd's settings where it has one; the byte bounds are ours. */
export const raftDefaults = {
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: true,
  checkQuorum: true,
  messageBytesMax: 1024 * 1024,
  inflightsMax: 512,
  inflightBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  committedBytesPerReadyMax: 16 * 1024 * 1024,
} as const;

/** Throws RangeError for a setting out of its range. */
export function validateConfig(config: RaftConfig): void {
  if (config.id === 0n) throw new RangeError("Cannot use raft id 0: it means none");
  positive("heartbeatTicks", config.heartbeatTicks);
  positive("electionTicks", config.electionTicks);
  positive("inflightsMax", config.inflightsMax);
  positive("inflightBytesMax", config.inflightBytesMax);
  positive("uncommittedBytesMax", config.uncommittedBytesMax);
  positive("committedBytesPerReadyMax", config.committedBytesPerReadyMax);
  if (config.electionTicks <= config.heartbeatTicks) {
    throw new RangeError(
      `Cannot use electionTicks ${config.electionTicks}: ` +
        `it must be greater than heartbeatTicks ${config.heartbeatTicks}`,
    );
  }
  if (!Number.isSafeInteger(config.messageBytesMax) || config.messageBytesMax < 0) {
    throw new RangeError(`Cannot use messageBytesMax ${config.messageBytesMax}: it must be >= 0`);
  }
}

function positive(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new RangeError(`Cannot use ${name} ${value}: it must be a whole number >= 1`);
}
