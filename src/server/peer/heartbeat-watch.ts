/** Notices a leader that sends its heartbeats late: its disk or its process is overloaded. */
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";
import type { Message } from "../../raft/message.ts";
import type { RaftId } from "../../raft/types.ts";
import { hex } from "./peer-headers.ts";
import type { PeerMetrics } from "./peer-metrics.ts";

export interface HeartbeatWatchDeps {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<PeerMetrics, "heartbeatFailures">;
}

export class HeartbeatWatch {
  readonly #deps: HeartbeatWatchDeps;
  /** When each follower was sent its last one. */
  readonly #sentAt = new Map<RaftId, number>();
  #term = 0;

  constructor(deps: HeartbeatWatchDeps) {
    this.#deps = deps;
  }

  /** A new term begins anew: there may have been another leader in between. */
  sent({ to, term }: Message): void {
    const { clock, intervalMs, log, metrics } = this.#deps;
    if (term !== this.#term) this.#sentAt.clear();
    this.#term = term;
    const now = clock.now();
    const late = now - (this.#sentAt.get(to) ?? now) - 2 * intervalMs;
    this.#sentAt.set(to, now);
    if (late <= 0) return;
    metrics.heartbeatFailures.value++;
    log.warn(
      "leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk",
      {
        to: hex(to),
        "heartbeat-interval": `${intervalMs}ms`,
        "expected-duration": `${2 * intervalMs}ms`,
        "exceeded-duration": `${late}ms`,
      },
    );
  }

  forget(id: RaftId): void {
    this.#sentAt.delete(id);
  }
}
