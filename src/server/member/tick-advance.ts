/** --initial-election-tick-advance: a member that just started need not wait a whole election. */

import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";

export interface TickAdvanceParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly localId: bigint;
  readonly memberCount: number;
  readonly electionTicks: number;
  readonly tickMs: number;
  /** --initial-election-tick-advance */
  readonly isWanted: boolean;
  /** Peers connected now. */
  readonly activePeers: () => number;
  /** Lets raft's election timer run forward by this many ticks. */
  readonly advance: (ticks: number) => void;
}

const pollMs = 50;
/** How long peers may take to connect, in ms: longer, and advancing has no use. */
const waitMs = 5000;
/** Ticks left to a leader, which may be there, to be heard. */
const ticksLeft = 2;

/** Call once, when the node begins to run. */
export function advanceElection(parts: TickAdvanceParts): void {
  const { clock, log, electionTicks, memberCount } = parts;
  if (memberCount === 1) {
    forward(parts, electionTicks - 1, "started as single-node; fast-forwarding election ticks");
    return;
  }
  if (!parts.isWanted) {
    log.info("skipping initial election tick advance", { "election-ticks": electionTicks });
    return;
  }
  log.info("starting initial election tick advance", { "election-ticks": electionTicks });
  const deadline = clock.now() + waitMs;
  const poll = (): void => {
    if (parts.activePeers() > 1) {
      const message = "initialized peer connections; fast-forwarding election ticks";
      forward(parts, electionTicks - ticksLeft, message);
    } else if (clock.now() < deadline) clock.after(pollMs, poll);
  };
  clock.after(pollMs, poll);
}

function forward(parts: TickAdvanceParts, ticks: number, message: string): void {
  const { log, localId, electionTicks, tickMs } = parts;
  const duration = (count: number): string => `${(count * tickMs) / 1000}s`;
  log.info(message, {
    "local-member-id": localId.toString(16),
    "forward-ticks": ticks,
    "forward-duration": duration(ticks),
    "election-ticks": electionTicks,
    "election-timeout": duration(electionTicks),
  });
  if (ticks > 0) parts.advance(ticks);
}
