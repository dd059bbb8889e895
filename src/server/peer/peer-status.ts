/** Whether a peer can be reached, as far as the last attempt of any kind told. */
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";
import type { PeerMetrics } from "./peer-metrics.ts";

export interface PeerStatusDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: PeerMetrics;
  /** Ids in hex. */
  readonly local: string;
  readonly remote: string;
}

/** What failed: the channel and what was tried on it. */
export interface PeerFailure {
  readonly source: string;
  readonly action: string;
  readonly reason: string;
}

export class PeerStatus {
  /** Clock.now() of becoming active; null while inactive. */
  activeSince: number | null = null;
  readonly #deps: PeerStatusDeps;

  constructor(deps: PeerStatusDeps) {
    this.#deps = deps;
  }

  activate(): void {
    if (this.activeSince !== null) return;
    const { clock, log, metrics, local, remote } = this.#deps;
    log.info("peer became active", { "peer-id": remote });
    this.activeSince = clock.now();
    metrics.activePeers.with(local, remote).value++;
  }

  deactivate({ source, action, reason }: PeerFailure): void {
    const { log, metrics, local, remote } = this.#deps;
    const error = `failed to ${action} ${remote} on ${source} (${reason})`;
    if (this.activeSince === null) {
      log.debug("peer deactivated again", { "peer-id": remote, error });
      return;
    }
    log.warn("peer became inactive (message send to peer failed)", { "peer-id": remote, error });
    this.activeSince = null;
    metrics.activePeers.with(local, remote).value--;
    metrics.disconnectedPeers.with(local, remote).value++;
  }

  /** The peer is no more: it does not count as lost. */
  forget(): void {
    if (this.activeSince === null) return;
    this.activeSince = null;
    const { metrics, local, remote } = this.#deps;
    metrics.activePeers.with(local, remote).value--;
  }
}
