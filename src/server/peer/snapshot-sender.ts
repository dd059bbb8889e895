/**
 * Database files to one peer: a request of its own, whose body is the MsgSnap's frame and then the
 * file, read only as fast as the connection takes it, a few pieces ahead.
 *
 * SN1  One file at a time per peer; each ends with exactly one report and a closed source.
 * SN2  A file of which no byte moves for the stall time, or whose answer does not come, failed.
 */
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import { emptyBytes } from "../../base/bytes.ts";
import { Writer } from "../../codec/writer.ts";
import type { DialedCall, Dialer } from "./dial-port.ts";
import { writeMessageFrame } from "./message-frames.ts";
import { hex, postProblem, requestHeaders } from "./peer-headers.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import type { PeerIdentity } from "./peer-options.ts";
import type { PeerEvents, SnapshotSource } from "./peer-port.ts";
import type { PeerStatus } from "./peer-status.ts";
import { logRefusal } from "./pipeline.ts";
import { sizeText } from "./size-text.ts";
import type { UrlPicker } from "./url-picker.ts";

export interface SnapshotSenderDeps {
  readonly identity: PeerIdentity;
  /** Id in hex. */
  readonly remote: string;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: PeerLimits;
  readonly metrics: PeerMetrics;
  readonly events: Pick<PeerEvents, "removedFromCluster">;
  readonly unreachable: () => void;
  readonly sent: (isDelivered: boolean) => void;
}

/** One file under way. */
interface Sending {
  readonly source: SnapshotSource;
  readonly url: string;
  readonly startedAt: number;
  call: DialedCall | null;
  timer: Timer | null;
  /** Pieces that the connection has not taken yet. */
  writing: number;
  isReading: boolean;
  /** The source has given everything. */
  isRead: boolean;
  status: number;
  remoteClusterId: string;
  answer: Uint8Array;
}

export class SnapshotSender {
  readonly #deps: SnapshotSenderDeps;
  #sending: Sending | null = null;

  constructor(deps: SnapshotSenderDeps) {
    this.#deps = deps;
  }

  send(source: SnapshotSource): void {
    if (this.#sending !== null) {
      source.close(); // SN1
      this.#deps.sent(false);
      return;
    }
    const { dialer, identity, picker, limits, clock, log, metrics, remote } = this.#deps;
    const sending: Sending = {
      source,
      url: picker.pick(),
      startedAt: clock.now(),
      call: null,
      timer: null,
      ...{ writing: 0, isReading: false, isRead: false },
      status: 0,
      remoteClusterId: "",
      answer: emptyBytes,
    };
    this.#sending = sending;
    log.info("sending database snapshot", this.#about(source));
    metrics.snapshotsSending.with(remote).value++;
    const headers = { ...requestHeaders(identity), "Content-Type": "application/octet-stream" };
    const { dialTimeoutMs: connectTimeoutMs } = limits;
    sending.call = dialer.open(
      {
        ...{ method: "POST", url: sending.url, path: "/raft/snapshot", headers, connectTimeoutMs },
        ...{ hasPieces: true, isLong: true },
      },
      {
        head: (status, header) => {
          sending.status = status;
          sending.remoteClusterId = header("x-etcd-cluster-id");
        },
        data: (bytes) => {
          if (sending.answer.length === 0) sending.answer = bytes.slice(0, answerBytesMax);
        },
        end: (error) => {
          this.#onEnd(sending, error);
        },
      },
    );
    const frame = new Writer();
    writeMessageFrame(frame, source.message);
    this.#write(sending, frame.view());
  }

  stop(): void {
    const sending = this.#sending;
    if (sending !== null) this.#finish(sending, "stopped");
  }

  #write(sending: Sending, bytes: Uint8Array): void {
    this.#stallAfter(sending, this.#deps.limits.snapshotStallMs);
    sending.writing++;
    sending.call!.write(bytes, () => {
      if (this.#sending !== sending) return;
      sending.writing--;
      this.#read(sending);
    });
  }

  #read(sending: Sending): void {
    if (sending.isRead) return;
    this.#stallAfter(sending, this.#deps.limits.snapshotStallMs);
    if (sending.isReading || sending.writing >= piecesWritingMax) return;
    sending.isReading = true;
    sending.source.read((error, bytes) => {
      if (this.#sending !== sending) return;
      sending.isReading = false;
      if (error !== null) {
        this.#finish(sending, error.message);
      } else if (bytes !== null) {
        this.#write(sending, bytes);
        this.#read(sending);
      } else {
        sending.isRead = true;
        sending.call!.finish();
        this.#stallAfter(sending, this.#deps.limits.snapshotAnswerTimeoutMs);
      }
    });
  }

  /** SN2 */
  #stallAfter(sending: Sending, ms: number): void {
    sending.timer?.cancel();
    sending.timer = this.#deps.clock.after(ms, () => {
      if (this.#sending === sending) this.#finish(sending, "i/o timeout");
    });
  }

  /** The answer is whole, also when it came before the file was. */
  #onEnd(sending: Sending, error: Error | null): void {
    if (this.#sending !== sending) return;
    if (error !== null && sending.status === 0) {
      this.#finish(sending, error.message);
      return;
    }
    const problem = postProblem(sending.status, sending.answer);
    if (problem !== null) logRefusal(this.#deps, problem.reason, sending.remoteClusterId);
    this.#finish(sending, problem?.reason ?? null);
    if (problem?.isRemoved === true) this.#deps.events.removedFromCluster();
  }

  #finish(sending: Sending, failure: string | null): void {
    const { log, metrics, remote, status, picker, sent, unreachable, clock } = this.#deps;
    const { source } = sending;
    this.#sending = null;
    sending.timer?.cancel();
    sending.call?.destroy();
    source.close();
    metrics.snapshotsSending.with(remote).value--;
    if (failure === null) {
      status.activate();
      log.info("sent database snapshot", this.#about(source));
      metrics.sentBytes.with(remote).value += source.sizeBytes;
      metrics.snapshotsSent.with(remote).value++;
      const seconds = (clock.now() - sending.startedAt) / 1_000;
      metrics.snapshotSendSeconds.with(remote).observe(seconds);
    } else {
      log.warn("failed to send database snapshot", { ...this.#about(source), error: failure });
      picker.unreachable(sending.url);
      status.deactivate({ source: "sendMsgSnap", action: "post", reason: failure });
      metrics.sentFailures.with(remote).value++;
      metrics.snapshotSendFailures.with(remote).value++;
      unreachable();
    }
    sent(failure === null);
  }

  #about({ message, sizeBytes }: SnapshotSource): Record<string, unknown> {
    return {
      "snapshot-index": message.snapshot?.metadata.index ?? 0,
      "remote-peer-id": this.#deps.remote,
      "local-member-id": hex(this.#deps.identity.localId),
      bytes: sizeBytes,
      size: sizeText(sizeBytes),
    };
  }
}

const answerBytesMax = 1_024;
/** Pieces given to the connection at once: on a busy machine each wait for it takes a while. */
const piecesWritingMax = 4;
