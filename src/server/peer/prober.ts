/** Measures the round trip to one peer, and how far its clock is from ours. */
import type { Logger } from "../../base/log.ts";
import type { Clock, Timer } from "../../base/ports.ts";
import type { Dialer } from "./dial-port.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerMetrics } from "./peer-metrics.ts";
import { parseRfc3339 } from "./rfc3339.ts";
import { requestShort, type ShortAnswer } from "./short-request.ts";
import { UrlPicker } from "./url-picker.ts";

export interface ProberDeps {
  /** Id in hex. */
  readonly remote: string;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: PeerLimits;
  readonly metrics: Pick<PeerMetrics, "roundTripSeconds">;
}

const unhealthyLogIntervalMs = 5_000;
const driftLogIntervalMs = 30_000;
const driftMaxMs = 1_000;
const answerBytesMax = 1_024;
/** Weight of the newest round trip in the smoothed one. */
const weight = 0.125;

export class Prober {
  readonly #deps: ProberDeps;
  readonly #picker: UrlPicker;
  #timer: Timer;
  #request: { cancel(): void } | null = null;
  /** Smoothed; 0 before the first. */
  #roundTripMs = 0;
  #unhealthyLoggedAt = -Infinity;
  #driftLoggedAt = -Infinity;

  constructor(deps: ProberDeps, urls: readonly string[]) {
    this.#deps = deps;
    this.#picker = new UrlPicker(urls);
    this.#timer = this.#later();
  }

  update(urls: readonly string[]): void {
    this.#picker.update(urls);
  }

  stop(): void {
    this.#timer.cancel();
    this.#request?.cancel();
  }

  #later(): Timer {
    return this.#deps.clock.after(this.#deps.limits.probeIntervalMs, () => {
      this.#probe();
    });
  }

  #probe(): void {
    const { clock, limits } = this.#deps;
    const startedAt = clock.now();
    const url = this.#picker.pick();
    this.#request = requestShort(
      this.#deps,
      {
        ...{ method: "GET", url, path: "/raft/probing", headers: {}, answerBytesMax },
        ...{ connectTimeoutMs: limits.dialTimeoutMs, timeoutMs: limits.probeIntervalMs },
      },
      (error, answer) => {
        const reason = error === null ? problemOf(answer) : error.message;
        if (reason === null) this.#healthy(clock.now() - startedAt, answer);
        else this.#unhealthy(url, reason);
        this.#timer = this.#later();
      },
    );
  }

  #healthy(tookMs: number, answer: ShortAnswer): void {
    const { clock, log, metrics, remote } = this.#deps;
    const before = this.#roundTripMs || tookMs;
    this.#roundTripMs = (1 - weight) * before + weight * tookMs;
    metrics.roundTripSeconds.with(remote).observe(this.#roundTripMs / 1_000);
    const drift = clock.wall() - parseProbe(answer.body)!.now - this.#roundTripMs / 2;
    if (drift <= driftMaxMs || clock.now() - this.#driftLoggedAt < driftLogIntervalMs) return;
    this.#driftLoggedAt = clock.now();
    log.warn("prober found high clock drift", {
      ...this.#about(),
      "clock-drift": `${drift / 1_000}s`,
    });
  }

  #unhealthy(url: string, error: string): void {
    const { clock, log } = this.#deps;
    this.#picker.unreachable(url);
    if (clock.now() - this.#unhealthyLoggedAt < unhealthyLogIntervalMs) return;
    this.#unhealthyLoggedAt = clock.now();
    log.warn("prober detected unhealthy status", { ...this.#about(), error });
  }

  #about(): Record<string, string> {
    return {
      "round-tripper-name": "ROUND_TRIPPER_RAFT_MESSAGE",
      "remote-peer-id": this.#deps.remote,
      rtt: `${this.#roundTripMs}ms`,
    };
  }
}

function problemOf(answer: ShortAnswer): string | null {
  if (answer.status !== 200) return `got unexpected HTTP status code ${answer.status}`;
  return parseProbe(answer.body) === null ? "the answer is no probe's" : null;
}

/** Milliseconds since the epoch that a probe's answer names; null for anything else. */
function parseProbe(body: Uint8Array): { readonly now: number } | null {
  const text = new TextDecoder().decode(body);
  const found = /^\{"OK":true,"Now":"([^"]{20,40})"\}\s*$/.exec(text);
  const now = found === null ? null : parseRfc3339(found[1]!);
  return now === null ? null : { now };
}
