/** What the RPC services ask of the member behind them. */

import type { EtcdError } from "../../base/etcd-errors.ts";
import type { LeaseAnswer } from "../../codec/lease.ts";
import type { Waiter } from "../proposals.ts";
import type { ReadWaiter } from "../read-gate.ts";

export interface Proposer {
  /**
   * Proposes an InternalRaftRequest: `field` is one of `requestField`, `body` the canonical bytes
   * of that request (copied before return). Waits for a leader while none is known. Fails through
   * the waiter: too large, too many requests, timeout, stopped.
   */
  propose(field: number, body: Uint8Array, waiter: Waiter): void;
}

export interface LinearizableReads {
  /** All reads asked for in one turn share one confirmation. */
  read(waiter: ReadWaiter): void;
}

export type RenewDone = (error: EtcdError | null, ttl: number) => void;
export type TimeToLiveDone = (error: EtcdError | null, answer: LeaseAnswer) => void;

/** Leases are the leader's business: asks it, wherever it is. */
export interface ClusterLeases {
  /** This member leads and is the only voter: nobody else could have taken over. */
  readonly isAlone: boolean;
  /** Starts a fresh TTL; 0 seconds: there is no such lease. */
  renew(id: bigint, done: RenewDone): void;
  /** A TTL of -1: there is no such lease. */
  timeToLive(id: bigint, keys: boolean, done: TimeToLiveDone): void;
}

export type { ReadWaiter } from "../read-gate.ts";
