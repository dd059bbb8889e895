import type { Logger } from "../base/log.ts";
import type { Clock, Turn } from "../base/ports.ts";
import type { Message } from "../raft/message.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { MemoryStorage } from "../raft/storage.ts";
import type { Entry, SnapshotMetadata, SoftState } from "../raft/types.ts";
import type { Proposals } from "./proposals.ts";
import type { ReadGate } from "./read-gate.ts";
import type { Wal } from "./wal/wal.ts";

/** What a {@link Node} connects. */
export interface NodeParts {
  readonly raft: RawNode;
  readonly storage: MemoryStorage;
  readonly wal: Wal;
  readonly proposals: Proposals;
  readonly gate: ReadGate;
}

export interface NodeOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly tickMs: number;
  readonly electionTimeoutMs: number;
  /** Applying a few entries for longer than this is counted and logged. */
  readonly slowApplyMs: number;
  /** Applies a normal entry, an empty one too: each moves the consistent index. */
  readonly apply: (entry: Entry) => void;
  /** Applies a configuration entry: decodes it, calls applyConfChange, records the result. */
  readonly applyConfChange: (entry: Entry) => void;
  /** Everything up to here was applied; called after each run of entries. */
  readonly appliedTo?: (index: number) => void;
  readonly leaderChanged?: (state: SoftState, term: number) => void;
  /** Proposals are taken at the end of this turn: what waited for that can go. */
  readonly takesProposals?: () => void;
  /** Sends to other members or drops, without blocking. */
  readonly send?: (messages: readonly Message[]) => void;
  /** Index of the oldest snapshot on its way to another member; Infinity if there is none. */
  readonly oldestViewIndex?: () => number;
  /** Puts the prepared state of this snapshot in the place of the present one. */
  readonly installSnapshot?: (metadata: SnapshotMetadata, done: () => void) => void;
  /** The member cannot go on and must end (N4). Called once. */
  readonly fatal: (error: Error) => void;
}
