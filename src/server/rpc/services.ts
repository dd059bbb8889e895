/** What the RPC services ask of the member behind them. */

import type { Waiter } from "../proposals.ts";
import type { ReadWaiter } from "../read-gate.ts";

export interface Proposer {
  /**
   * Proposes an InternalRaftRequest: `field` is one of `requestField`, `body` the canonical bytes
   * of that request (copied before return). Fails through the waiter: too large, too many requests,
   * no leader, timeout, stopped.
   */
  propose(field: number, body: Uint8Array, waiter: Waiter): void;
}

export interface LinearizableReads {
  /** All reads asked for in one turn share one confirmation. */
  read(waiter: ReadWaiter): void;
}

export type { ReadWaiter } from "../read-gate.ts";
