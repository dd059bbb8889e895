/**
 * Messages as single requests, while a stream is down. At most four at a time, so they may arrive
 * in another order than they were sent: raft stands that.
 *
 * PL1  Waiting messages and bytes have a bound; what does not fit is dropped and reported.
 * PL2  A message is sent once: a failure is reported, and raft sends what is right by then.
 */
import type { Logger } from "../../base/log.ts";
import type { Clock } from "../../base/ports.ts";
import { encodeMessage } from "../../codec/raft.ts";
import { Writer } from "../../codec/writer.ts";
import type { Message } from "../../raft/message.ts";
import type { Dialer } from "./dial-port.ts";
import { DropLog } from "./drop-log.ts";
import { clusterIdMismatch, hex, incompatibleVersion } from "./peer-headers.ts";
import { postProblem, requestHeaders } from "./peer-headers.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerIdentity } from "./peer-options.ts";
import type { PeerEvents } from "./peer-port.ts";
import type { PeerStatus } from "./peer-status.ts";
import { requestShort, type ShortAnswer } from "./short-request.ts";
import type { UrlPicker } from "./url-picker.ts";

export interface PipelineDeps {
  readonly identity: PeerIdentity;
  /** Ids in hex. */
  readonly local: string;
  readonly remote: string;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: PeerLimits;
  readonly metrics: Pick<PeerMetrics, "sentBytes" | "sentFailures">;
  readonly events: Pick<PeerEvents, "removedFromCluster">;
  readonly unreachable: () => void;
}

export class Pipeline {
  readonly #deps: PipelineDeps;
  readonly #drops: DropLog;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  readonly #underWay = new Set<{ cancel(): void }>();
  #isStopped = false;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
    this.#drops = new DropLog(deps, "pipeline");
    deps.log.info("started HTTP pipelining with remote peer", this.#who());
  }

  send(message: Message): void {
    const { limits } = this.#deps;
    const isFull = this.#waiting.length >= limits.pipelineMessagesMax;
    if (this.#isStopped) return;
    if (isFull || this.#waitingBytes >= limits.pipelineBytesMax) {
      this.#drops.dropped(message); // PL1
      return;
    }
    const out = new Writer();
    encodeMessage(out, message);
    const body = out.view();
    this.#waiting.push(body);
    this.#waitingBytes += body.length;
    this.#next();
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const request of this.#underWay) request.cancel();
    this.#underWay.clear();
    this.#deps.log.info("stopped HTTP pipelining with remote peer", this.#who());
  }

  #next(): void {
    const { limits } = this.#deps;
    while (this.#underWay.size < limits.pipelineConnectionsMax) {
      const body = this.#waiting.shift();
      if (body === undefined) return;
      this.#waitingBytes -= body.length;
      this.#post(body);
    }
  }

  #post(body: Uint8Array): void {
    const { picker, identity, limits } = this.#deps;
    const url = picker.pick();
    const request = requestShort(
      this.#deps,
      {
        method: "POST",
        path: "/raft",
        headers: { ...requestHeaders(identity), "Content-Type": "application/protobuf" },
        ...{ url, body },
        connectTimeoutMs: limits.dialTimeoutMs,
        timeoutMs: limits.dialTimeoutMs + limits.readTimeoutMs,
        answerBytesMax: limits.answerBytesMax,
      },
      (error, answer) => {
        this.#underWay.delete(request);
        if (error !== null) this.#failed(url, error.message);
        else this.#answered(url, body.length, answer);
        if (!this.#isStopped) this.#next();
      },
    );
    this.#underWay.add(request);
  }

  #answered(url: string, bytes: number, answer: ShortAnswer): void {
    const { status, metrics, remote, events } = this.#deps;
    const problem = postProblem(answer.status, answer.body);
    if (problem === null) {
      status.activate();
      metrics.sentBytes.with(remote).value += bytes;
      return;
    }
    logRefusal(this.#deps, problem.reason, answer.header("x-etcd-cluster-id"));
    this.#failed(url, problem.reason);
    if (problem.isRemoved) events.removedFromCluster();
  }

  #failed(url: string, reason: string): void {
    const { picker, status, metrics, remote, unreachable } = this.#deps;
    picker.unreachable(url);
    status.deactivate({ source: "pipeline", action: "write", reason });
    metrics.sentFailures.with(remote).value++;
    unreachable(); // PL2
  }

  #who(): Record<string, string> {
    const { local, remote } = this.#deps;
    return { "local-member-id": local, "remote-peer-id": remote };
  }
}

/** What a peer's refusal of a POST means to the operator. */
export function logRefusal(
  { log, identity, remote }: Pick<PipelineDeps, "log" | "identity" | "remote">,
  reason: string,
  remoteClusterId: string,
): void {
  if (reason === incompatibleVersion) {
    log.error("request sent was ignored by peer", { "remote-peer-id": remote });
  } else if (reason === clusterIdMismatch) {
    log.error("request sent was ignored due to cluster ID mismatch", {
      "remote-peer-id": remote,
      "remote-peer-cluster-id": remoteClusterId,
      "local-member-cluster-id": hex(identity.clusterId),
    });
  }
}
