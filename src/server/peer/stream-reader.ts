/**
 * The incoming side of one stream from one peer: dials it, decodes what comes, and dials again
 * after a loss, for as long as the peer is a member.
 *
 * SR1  At most one connection at a time; attempts are at least the dial interval apart.
 * SR2  A connection that brings nothing for the read timeout is ended, but never for bytes that
 *      wait unread because this process was busy.
 * SR3  After the first byte that is no frame nothing of the connection is used.
 */
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer, Turn } from "../../base/ports.ts";
import { etcdVersion } from "../../base/version.ts";
import type { RaftId } from "../../raft/types.ts";
import { AppendDecoder } from "./append-frames.ts";
import type { DialedCall, Dialer } from "./dial-port.ts";
import { FrameError } from "./frame-error.ts";
import { isLinkHeartbeat, MessageDecoder, type StreamDecoder } from "./message-frames.ts";
import { checkMessage, isSnapshot } from "./message-check.ts";
import {
  clusterIdMismatch,
  hex,
  incompatibleVersion,
  removedText,
  requestHeaders,
  trimmed,
} from "./peer-headers.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerIdentity, StreamKind } from "./peer-options.ts";
import type { PeerEvents } from "./peer-port.ts";
import type { PeerStatus } from "./peer-status.ts";
import { streamNames } from "./stream-writer.ts";
import type { UrlPicker } from "./url-picker.ts";

export interface StreamReaderDeps {
  readonly kind: StreamKind;
  readonly peerId: RaftId;
  readonly identity: PeerIdentity;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
  readonly events: PeerEvents;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly log: Logger;
  readonly limits: PeerLimits;
  readonly metrics: Pick<PeerMetrics, "receivedBytes" | "receivedFailures">;
}

/** One attempt and the connection it becomes. */
interface Attempt {
  readonly url: string;
  call: DialedCall | null;
  /** 0 until the answer's head came. */
  status: number;
  /** The body of an answer that is no stream. */
  refusal: Uint8Array;
  remoteClusterId: string;
  readonly decoder: StreamDecoder;
  readAt: number;
  timer: Timer | null;
}

const refusalBytesMax = 1_024;

export class StreamReader {
  readonly #deps: StreamReaderDeps;
  #attempt: Attempt | null = null;
  #retry: Timer | null = null;
  #dialedAt = -Infinity;
  #isStopped = false;

  constructor(deps: StreamReaderDeps) {
    this.#deps = deps;
    deps.log.info("started stream reader with remote peer", this.#who());
    this.#dial();
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#retry?.cancel();
    const attempt = this.#attempt;
    if (attempt !== null) this.#forget(attempt);
    this.#deps.log.info("stopped stream reader with remote peer", this.#who());
  }

  #dial(): void {
    const { kind, identity, picker, dialer, clock, limits, peerId, log } = this.#deps;
    const path = `/raft/stream/${kind}/${hex(identity.localId)}`;
    const attempt: Attempt = {
      url: picker.pick(),
      call: null,
      status: 0,
      refusal: new Uint8Array(0),
      remoteClusterId: "",
      decoder:
        kind === "msgapp"
          ? new AppendDecoder(identity.localId, peerId, limits)
          : new MessageDecoder(limits),
      readAt: clock.now(),
      timer: null,
    };
    this.#dialedAt = clock.now();
    this.#attempt = attempt;
    const [from, to] = [hex(identity.localId), hex(peerId)];
    log.debug("dial stream reader", { from, to, address: attempt.url + path });
    const headers = { ...requestHeaders(identity), "X-Raft-To": to };
    const { dialTimeoutMs: connectTimeoutMs } = limits;
    attempt.call = dialer.open(
      { method: "GET", url: attempt.url, path, headers, isLong: true, connectTimeoutMs },
      {
        head: (status, header) => {
          this.#onHead(attempt, status, header);
        },
        data: (bytes) => {
          this.#onData(attempt, bytes);
        },
        end: (error) => {
          this.#onEnd(attempt, error);
        },
      },
    );
    attempt.timer = this.#watch(attempt, limits.readTimeoutMs + connectTimeoutMs);
  }

  #onHead(attempt: Attempt, status: number, header: (name: string) => string): void {
    if (this.#attempt !== attempt) return;
    const { clock, log, status: peer } = this.#deps;
    attempt.readAt = clock.now();
    attempt.status = status;
    attempt.remoteClusterId = header("x-etcd-cluster-id");
    if (status !== 200) return;
    if (isTooOld(header("x-server-version"))) {
      this.#forget(attempt);
      this.#deps.picker.unreachable(attempt.url);
      this.#again();
      return;
    }
    peer.activate();
    log.info("established TCP streaming connection with remote peer", this.#who());
  }

  #onData(attempt: Attempt, bytes: Uint8Array): void {
    if (this.#attempt !== attempt) return;
    attempt.readAt = this.#deps.clock.now();
    if (attempt.status !== 200) {
      if (attempt.refusal.length === 0) attempt.refusal = bytes.slice(0, refusalBytesMax);
      return;
    }
    this.#deps.metrics.receivedBytes.with(hex(this.#deps.peerId)).value += bytes.length;
    try {
      attempt.decoder.push(bytes);
      this.#receive(attempt);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#lost(attempt, error.message); // SR3
    }
  }

  #receive(attempt: Attempt): void {
    const { peerId, events, log, metrics } = this.#deps;
    for (;;) {
      // What a message does may end this very connection.
      if (this.#attempt !== attempt) return;
      const message = attempt.decoder.next();
      if (message === null) return;
      if (isLinkHeartbeat(message)) continue;
      if (isSnapshot(message)) throw new FrameError("a snapshot does not travel on a stream");
      if (checkMessage(message, peerId, this.#deps, log) === null) events.receive(message);
      else metrics.receivedFailures.with(hex(peerId)).value++;
    }
  }

  /** The connection ended, or never was. */
  #onEnd(attempt: Attempt, error: Error | null): void {
    if (this.#attempt !== attempt) return;
    if (attempt.status === 200) this.#lost(attempt, error?.message ?? "EOF", error === null);
    else if (attempt.status === 0) this.#refused(attempt, error?.message ?? "EOF");
    else this.#refused(attempt, this.#refusalText(attempt));
  }

  #refusalText({ status, refusal, remoteClusterId }: Attempt): string {
    const { log, identity, peerId, events } = this.#deps;
    const who = { "local-member-id": hex(identity.localId), "remote-peer-id": hex(peerId) };
    const text = trimmed(refusal);
    switch (status) {
      case 410:
        events.removedFromCluster();
        return removedText;
      case 404:
        return `peer ${hex(peerId)} failed to find local node ${hex(identity.localId)}`;
      case 412:
        if (text === incompatibleVersion) {
          log.warn(
            "request sent was ignored by remote peer due to server version incompatibility",
            { ...who, error: text },
          );
        } else if (text === clusterIdMismatch) {
          log.warn("request sent was ignored by remote peer due to cluster ID mismatch", {
            ...who,
            "remote-peer-cluster-id": remoteClusterId,
            "local-member-cluster-id": hex(identity.clusterId),
            error: text,
          });
        }
        return text;
      default:
        return `unhandled http status ${status}`;
    }
  }

  #refused(attempt: Attempt, reason: string): void {
    const { status, picker, kind } = this.#deps;
    picker.unreachable(attempt.url);
    status.deactivate({ source: streamNames[kind], action: "dial", reason });
    this.#forget(attempt);
    this.#again();
  }

  /** @param isClean the peer ended the stream at its will: it may still be well otherwise */
  #lost(attempt: Attempt, reason: string, isClean = false): void {
    const { log, status, kind } = this.#deps;
    log.warn("lost TCP streaming connection with remote peer", { ...this.#who(), error: reason });
    if (!isClean) status.deactivate({ source: streamNames[kind], action: "read", reason });
    this.#forget(attempt);
    this.#again();
  }

  #forget(attempt: Attempt): void {
    this.#attempt = null;
    attempt.timer?.cancel();
    attempt.call?.destroy();
  }

  #again(): void {
    if (this.#isStopped) return; // what was logged or reported may have stopped us
    const { clock, limits } = this.#deps;
    const wait = Math.max(0, this.#dialedAt + limits.dialIntervalMs - clock.now()); // SR1
    this.#retry = clock.after(wait, () => {
      this.#retry = null;
      this.#dial();
    });
  }

  /** SR2: looks again when the time is over, and once more after the input that waited was read. */
  #watch(attempt: Attempt, delayMs: number): Timer {
    const { clock, turn, limits } = this.#deps;
    return clock.after(delayMs, () => {
      const left = (): number => attempt.readAt + limits.readTimeoutMs - clock.now();
      turn.next(() => {
        if (this.#attempt !== attempt) return;
        if (left() > 0) attempt.timer = this.#watch(attempt, left());
        else this.#onEnd(attempt, new Error("i/o timeout"));
      });
    });
  }

  #who(): Record<string, string> {
    const { kind, identity, peerId } = this.#deps;
    return {
      "stream-reader-type": streamNames[kind],
      "local-member-id": hex(identity.localId),
      "remote-peer-id": hex(peerId),
    };
  }
}

/** Before 2.1 there was no such stream. */
function isTooOld(version: string): boolean {
  const [major = 2, minor = 0] = version.split(".").map(Number);
  return version !== etcdVersion && (major < 2 || (major === 2 && minor === 0));
}
