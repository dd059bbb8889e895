/** Reports messages that a channel's bounds kept from being sent. */
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";
import type { Message } from "../../raft/message.ts";
import { messageTypeName } from "./message-type.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerStatus } from "./peer-status.ts";

export interface DropLogDeps {
  /** Ids in hex. */
  readonly local: string;
  readonly remote: string;
  readonly status: PeerStatus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<PeerMetrics, "sentFailures">;
  readonly unreachable: () => void;
}

const intervalMs = 1_000;

export class DropLog {
  readonly #deps: DropLogDeps;
  readonly #channel: string;
  /** Since the last line. */
  #dropped = 0;
  #loggedAt = -Infinity;

  /** @param channel as etcd's logs name it */
  constructor(deps: DropLogDeps, channel: string) {
    this.#deps = deps;
    this.#channel = channel;
  }

  /** Tells raft and counts; the log has one line a second at most. */
  dropped(message: Message): void {
    const { log, clock, local, remote, status, metrics, unreachable } = this.#deps;
    unreachable();
    metrics.sentFailures.with(remote).value++;
    this.#dropped++;
    if (clock.now() - this.#loggedAt < intervalMs) return;
    this.#loggedAt = clock.now();
    log.warn("dropped internal Raft message since sending buffer is full", {
      "message-type": messageTypeName(message.type),
      "local-member-id": local,
      from: local,
      "remote-peer-id": remote,
      "remote-peer-name": this.#channel,
      "remote-peer-active": status.activeSince !== null,
      dropped: this.#dropped,
    });
    this.#dropped = 0;
  }
}
