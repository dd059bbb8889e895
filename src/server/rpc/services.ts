/** What the RPC services ask of the member behind them. */

import type { EtcdError } from "../../base/etcd-errors.ts";
import type { ApplyResult } from "../apply/applier.ts";

/** Told exactly once what became of a proposal. */
export interface ProposalWaiter {
  applied(result: ApplyResult): void;
  failed(error: EtcdError): void;
}

export interface Proposer {
  /**
   * Proposes an InternalRaftRequest: `field` is one of `requestField`, `body` the canonical bytes of
   * that request (copied before return). Fails through the waiter: too large, too many requests, no
   * leader, timeout, stopped.
   */
  propose(field: number, body: Uint8Array, waiter: ProposalWaiter): void;
}

/** Told exactly once when a linearizable read may run. */
export interface ReadWaiter {
  ready(error: EtcdError | null): void;
}

export interface LinearizableReads {
  /** All reads asked for in one turn share one confirmation. */
  read(waiter: ReadWaiter): void;
}
