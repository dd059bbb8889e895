/** Is the peer there, does it read, is it used? Looked at once a second. */
import type { Http2Limits } from "./limits.ts";
import type { Outbound } from "./outbound.ts";

/** What a look asks for. An `end` text is the reason to let the connection go at once. */
export type Verdict = "fine" | "ping" | "drain" | { readonly end: string };

export class Vitals {
  /** Set by every read. */
  hasRead = false;
  /** Set by the first SETTINGS frame. */
  isGreeted = false;

  private readonly limits: Http2Limits;
  private readonly outbound: Outbound;
  private readonly startedAt: number;
  private lastReadAt: number;
  private pingSentAt = -1;
  private idleSince: number;
  private progressAt: number;
  private progressBytes = 0;

  constructor(limits: Http2Limits, outbound: Outbound, now: number) {
    this.limits = limits;
    this.outbound = outbound;
    this.startedAt = now;
    this.lastReadAt = now;
    this.idleSince = now;
    this.progressAt = now;
  }

  /** The last stream ended just now: idle time starts at the next look. */
  becameIdle(): void {
    this.idleSince = -1;
  }

  look(now: number, streams: number): Verdict {
    const limits = this.limits;
    if (this.hasRead) {
      this.hasRead = false;
      this.lastReadAt = now;
      this.pingSentAt = -1;
    } else {
      this.outbound.shrink();
    }
    if (!this.isGreeted && now - this.startedAt >= limits.firstFrameMs) {
      return { end: "no preface in time" };
    }
    if (this.pingSentAt >= 0 && now - this.pingSentAt >= limits.keepAliveTimeoutMs) {
      return { end: "keepalive ping not acked" };
    }
    if (this.isStuck(now)) return { end: "slow reader" };
    if (this.pingSentAt < 0 && now - this.lastReadAt >= limits.keepAliveIntervalMs) {
      this.pingSentAt = now;
      return "ping";
    }
    return this.isIdleTooLong(now, streams) ? "drain" : "fine";
  }

  /** Output waits and none left for too long. */
  private isStuck(now: number): boolean {
    if (!this.outbound.isWaiting || this.outbound.sentBytes !== this.progressBytes) {
      this.progressBytes = this.outbound.sentBytes;
      this.progressAt = now;
    }
    return now - this.progressAt >= this.limits.slowReaderMs;
  }

  private isIdleTooLong(now: number, streams: number): boolean {
    if (streams > 0) this.idleSince = -1;
    else if (this.idleSince < 0) this.idleSince = now;
    else return this.limits.idleMs > 0 && now - this.idleSince >= this.limits.idleMs;
    return false;
  }
}
