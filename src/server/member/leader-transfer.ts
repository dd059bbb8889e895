// LT1  A transfer is confirmed only when the other member is known to lead.
// LT2  Each is told its end exactly once, and no later than its time limit.

import {
  errBadLeaderTransferee,
  errLeaderTransferTimeout,
  errNotLeader,
  errUnhealthy,
  type EtcdError,
} from "../../base/etcd-errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterStatus } from "./membership.ts";

export interface LeaderTransferParts {
  readonly cluster: Pick<Cluster, "localId" | "member" | "voters">;
  readonly status: ClusterStatus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Has raft hand leadership to the voter; raft gives up after an election timeout. */
  readonly transfer: (to: bigint) => void;
  readonly electionTimeoutMs: number;
  /** Bound of a transfer that a client asked for. */
  readonly requestTimeoutMs: number;
}

interface Waiting {
  readonly target: bigint;
  readonly timer: Timer;
  readonly done: (error: EtcdError | null) => void;
}

/** Gives leadership to another member, asked for by a client or before the local one stops. */
export class LeaderTransfers {
  readonly #parts: LeaderTransferParts;
  #waiting: Waiting[] = [];

  constructor(parts: LeaderTransferParts) {
    this.#parts = parts;
  }

  /** Maintenance.MoveLeader. */
  move(target: bigint, done: (error: EtcdError | null) => void): void {
    const { cluster, status, requestTimeoutMs } = this.#parts;
    if (!status.isLeader) {
      done(errNotLeader);
      return;
    }
    const member = cluster.member(target);
    if (member === undefined || member.isLearner) {
      done(errBadLeaderTransferee);
      return;
    }
    this.#start(target, requestTimeoutMs, done);
  }

  /** Before the member stops: at most one election timeout; `done` whatever comes of it. */
  handOver(done: () => void): void {
    const { cluster, status, log, electionTimeoutMs } = this.#parts;
    const fields = {
      "local-member-id": cluster.localId.toString(16),
      "current-leader-member-id": status.leader.toString(16),
    };
    if (!status.isLeader) {
      log.info("skipped leadership transfer; local server is not leader", fields);
      done();
      return;
    }
    if (cluster.member(cluster.localId) === undefined) {
      log.info("skipped leadership transfer; local member was removed", fields);
      done();
      return;
    }
    if (cluster.voters().length <= 1) {
      log.info("skipped leadership transfer for single voting member cluster", fields);
      done();
      return;
    }
    const failed = (error: EtcdError): void => {
      log.warn("leadership transfer failed", { ...fields, error: error.message });
    };
    const target = this.#bestVoter();
    if (target === null) {
      failed(errUnhealthy);
      done();
      return;
    }
    this.#start(target, electionTimeoutMs, (error) => {
      if (error !== null) failed(error);
      done();
    });
  }

  /** To be called with every new leader; 0n: none. */
  leaderChanged(leader: bigint): void {
    const reached = this.#waiting.filter((waiting) => waiting.target === leader);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.target !== leader);
    for (const { timer, done } of reached) {
      timer.cancel();
      done(null); // LT1
    }
  }

  #start(target: bigint, timeoutMs: number, done: (error: EtcdError | null) => void): void {
    const { cluster, status, log, clock, transfer } = this.#parts;
    if (target === status.leader) {
      done(null);
      return;
    }
    const fields = {
      "local-member-id": cluster.localId.toString(16),
      "current-leader-member-id": status.leader.toString(16),
      "transferee-member-id": target.toString(16),
    };
    log.info("leadership transfer starting", fields);
    const startedAt = clock.now();
    const waiting: Waiting = {
      target,
      timer: clock.after(timeoutMs, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        done(errLeaderTransferTimeout); // LT2
      }),
      done: (error) => {
        const took = `${Math.round(clock.now() - startedAt)}ms`;
        log.info("leadership transfer finished", { ...fields, took });
        done(error);
      },
    };
    this.#waiting.push(waiting);
    transfer(target);
  }

  /** The connected voter with most of the log; of equal ones that which is connected longest. */
  #bestVoter(): bigint | null {
    const { cluster, status } = this.#parts;
    let best: { id: bigint; match: number; since: number } | null = null;
    for (const { id } of cluster.voters()) {
      const since = id === cluster.localId ? null : status.activeSince(id);
      if (since === null) continue;
      const match = status.matchOf(id) ?? 0;
      const isBetter =
        best === null || match > best.match || (match === best.match && since < best.since);
      if (isBetter) best = { id, match, since };
    }
    return best?.id ?? null;
  }
}
