/**
 * Abuse of a connection: frames that cost us more than the client. Each kind has an allowance per
 * second (from sweep to sweep); a client above it is told ENHANCE_YOUR_CALM and let go.
 */
import type { Http2Limits } from "./limits.ts";

export const abuse = {
  settings: 0,
  pings: 1,
  resets: 2,
  rejected: 3,
  emptyData: 4,
  ignored: 5,
} as const;

const names = [
  "too_many_settings",
  "too_many_pings",
  "too_many_resets",
  "too_many_rejected_streams",
  "too_many_empty_frames",
  "too_many_ignored_frames",
];

export class AbuseGuard {
  private readonly counts = new Uint32Array(names.length);
  private readonly allowed: readonly number[];
  private windowUpdates: number;
  private readonly limits: Http2Limits;

  private lastPingAt = -Infinity;
  private pingStrikes = 0;
  private strikesForgiven = false;

  constructor(limits: Http2Limits) {
    this.limits = limits;
    this.windowUpdates = limits.windowUpdatesPerSecondMax;
    this.allowed = [
      limits.settingsPerSecondMax,
      limits.pingsPerSecondMax,
      limits.resetsPerSecondMax,
      limits.rejectedPerSecondMax,
      limits.emptyDataPerSecondMax,
      limits.ignoredFramesPerSecondMax,
    ];
  }

  /** Once a second. */
  sweep(): void {
    this.counts.fill(0);
    const full = this.limits.windowUpdatesPerSecondMax;
    if (this.windowUpdates < full) this.windowUpdates = full;
  }

  /** Counts one. The text for GOAWAY when it is one too many, else "". */
  count(kind: number): string {
    const count = ++this.counts[kind]!;
    return count > this.allowed[kind]! ? names[kind]! : "";
  }

  countWindowUpdate(): string {
    return --this.windowUpdates < 0 ? "too_many_window_updates" : "";
  }

  /** HEADERS or DATA left: pings until now were fair (they may measure bandwidth). */
  sent(dataBytes: number): void {
    this.strikesForgiven = true;
    // A Go client may give back the connection's and the stream's window after every small answer.
    const earned = this.windowUpdates + 2 + dataBytes / this.limits.windowUpdateBytes;
    this.windowUpdates = earned < 1e9 ? earned : 1e9;
  }

  /** One PING of the client at `now`, judged as grpc-go's server does. */
  countPing(now: number, hasStreams: boolean): string {
    const since = now - this.lastPingAt;
    this.lastPingAt = now;
    // One ping per output of ours costs no more than that output: a Go client measures bandwidth
    // so, many thousand times a second on a busy stream.
    if (this.strikesForgiven) {
      this.strikesForgiven = false;
      this.pingStrikes = 0;
      return "";
    }
    const flood = this.count(abuse.pings);
    if (flood !== "") return flood;
    const idle = !hasStreams && !this.limits.pingWithoutStreamPermitted;
    const wanted = idle ? this.limits.pingIntervalIdleMs : this.limits.pingIntervalMinMs;
    if (since < wanted) this.pingStrikes++;
    return this.pingStrikes > this.limits.pingStrikesMax ? names[abuse.pings]! : "";
  }
}

const closedRemembered = 128;

/** The last streams that ended: late frames for them are judged by how they ended. */
export class ClosedStreams {
  private readonly ids = new Int32Array(closedRemembered);
  private readonly byUs = new Uint8Array(closedRemembered);
  private next = 0;

  add(id: number, endedByUs: boolean): void {
    this.ids[this.next] = id;
    this.byUs[this.next] = endedByUs ? 1 : 0;
    this.next = (this.next + 1) % closedRemembered;
  }

  /** "ours": we ended it first, frames of the client may still be under way. */
  find(id: number): "ours" | "theirs" | "unknown" {
    const at = this.ids.lastIndexOf(id);
    if (at < 0) return "unknown";
    return this.byUs[at] === 1 ? "ours" : "theirs";
  }
}
