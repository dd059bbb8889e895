import type { RaftId } from "../../../src/raft/types.ts";
import type { PeerEvents, PeerService } from "../../../src/server/peer/peer-port.ts";
import type { Life } from "../scheduler.ts";

/** A process as the network sees it. */
export interface Endpoint {
  readonly id: RaftId;
  readonly life: Life;
  readonly events: PeerEvents;
  readonly since: number;
  services: readonly PeerService[];
}

export interface Link {
  isCut: boolean;
  clogUntil: number;
  /** Since then everything on it takes longer and longer; -1: it does not. */
  stretchedSince: number;
  /** When the last message of each channel arrives. */
  lastAt: number[];
  /** When it was last repaired. */
  since: number;
}

export const channelAppend = 0;
export const channelOther = 1;
export const channelBulk = 2;
