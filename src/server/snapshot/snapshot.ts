import type { Done } from "../../base/ports.ts";
import type { SnapshotMetadata } from "../../raft/types.ts";
import type { Member } from "../member/member.ts";

/** What a snapshot says about itself, all from the rows of one moment. */
export interface SnapshotInfo {
  /** For raft: index, term and configuration. */
  readonly metadata: SnapshotMetadata;
  readonly revision: number;
  /** In order of their ids' text, as the rows stand. */
  readonly members: readonly Member[];
  readonly removed: readonly bigint[];
  /** For example "3.7.0"; "" when not recorded. */
  readonly storageVersion: string;
}

/** A snapshot on its way out, in pieces of 1 MiB at most. */
export interface SnapshotStream {
  readonly info: SnapshotInfo;
  /** Length of the database file. */
  readonly sizeBytes: number;
  /** The next piece; null at the end. One call at a time. Pieces may be shared: never changed. */
  read(done: Done<Uint8Array | null>): void;
  /** SHA-256 of the whole file, 32 bytes; null until `read` gave the null. */
  readonly sha256: Uint8Array | null;
  /** To be called once by every reader, at the end too. More calls do nothing. */
  close(): void;
}

/** Gives out snapshots of a member's newest state, for peers and for Maintenance.Snapshot. */
export interface Snapshots {
  /**
   * Forces a commit and opens a view behind it; readers that ask before its first piece was taken
   * share it, later ones wait when too many are under way. A reader that stops reading is given up
   * after a while: its next `read` fails. `isForMember`: who gets it goes on with the log behind
   * it.
   */
  open(done: Done<SnapshotStream>, isForMember?: boolean): void;
  /** Index of the oldest view open for a member: the log keeps what follows it. Infinity: none. */
  readonly oldestIndex: number;
  /** Ends everything under way with an error; what is asked later fails, too. */
  close(): void;
}
