// How long one turn of Quorate's event loop takes, and how long a client waits, while the server
// compacts, defragments, revokes expired leases and starts with many leases, under a few puts.
import { setTimeout as delay } from "node:timers/promises";

import { runCommand } from "../test/conformance/command.ts";
import type { Server } from "../test/conformance/servers.ts";
import { benchLimits } from "./limits.ts";
import { runLoad } from "./load.ts";
import { longestTurn, readMetrics, turnsSince, type Metrics } from "./metrics.ts";

export interface Phase {
  readonly name: string;
  /** The longest put of one client, in microseconds; 0 where no client can be connected. */
  readonly longestPutUs: number;
  /** Upper bound of the longest turn's length in seconds; null for a server without the metric. */
  readonly longestTurnSeconds: number | null;
  /** Turns over 10 ms. */
  readonly longTurns: number;
}

export interface TurnOptions {
  readonly loadgen: string;
  readonly etcdctl: string;
}

const turnMetric = "quorate_event_loop_turn_seconds";
const revokedMetric = "etcd_debugging_lease_revoked_total";

class TurnBench {
  readonly #server: Server;
  readonly #options: TurnOptions;
  readonly #phases: Phase[] = [];

  constructor(server: Server, options: TurnOptions) {
    this.#server = server;
    this.#options = options;
  }

  async run(): Promise<Phase[]> {
    const { turnKeys, turnLeases, expiringLeases, expiringTtlSeconds } = benchLimits;
    // Twice: the compaction has as many rows to remove as it keeps.
    for (let round = 0; round < 2; round++) await this.#load("fill", 4, ["--keys", `${turnKeys}`]);
    await this.#load("grant", 8, ["--keys", `${turnLeases}`, "--ttl", "100000"]);
    await delay(benchLimits.settleMs);
    await this.#phase("puts alone", () => delay(benchLimits.quietPhaseMs));
    const { revision } = await this.#status();
    await this.#phase("compaction", () => this.#ctl("compaction", "--physical", revision));
    await this.#phase("defragment", () => this.#ctl("defrag"));
    const before = (await readMetrics(this.#server)).get(revokedMetric) ?? 0;
    const args = ["--keys", `${expiringLeases}`, "--ttl", `${expiringTtlSeconds}`, "--attach"];
    await this.#load("grant", 8, args);
    await this.#phase("expiry", async () => {
      await this.#until((metrics) => (metrics.get(revokedMetric) ?? 0) >= before + expiringLeases);
    });
    await this.#server.end("SIGTERM");
    await this.#server.restart();
    const [none, started] = [new Map<string, number>(), await readMetrics(this.#server)];
    this.#add("start", 0, none, started);
    return this.#phases;
  }

  /** One client puts at a slow pace before, during and after `run`. */
  async #phase(name: string, run: () => Promise<unknown>): Promise<void> {
    const before = await readMetrics(this.#server);
    const stop = new AbortController();
    const puts = this.#putsUntil(stop.signal);
    await run();
    stop.abort();
    const longestPutUs = await puts;
    this.#add(name, longestPutUs, before, await readMetrics(this.#server));
  }

  /** The longest put of all, in microseconds. */
  async #putsUntil(stop: AbortSignal): Promise<number> {
    let longest = 0;
    do {
      const args = ["--keys", `${benchLimits.turnKeys}`, "--pace", `${benchLimits.turnPaceMs}ms`];
      longest = Math.max(longest, await this.#load("put", 1, args, benchLimits.turnProbeSeconds));
    } while (!stop.aborted);
    return longest;
  }

  #add(name: string, longestPutUs: number, before: Metrics, after: Metrics): void {
    const turns = turnsSince(turnMetric, before, after);
    const phase = { name, longestPutUs, ...longestTurn(turns) };
    this.#phases.push(phase);
    process.stdout.write(`${this.#server.label} turns: ${JSON.stringify(phase)}\n`);
  }

  async #load(op: string, clients: number, extra: string[], seconds = 0): Promise<number> {
    const cell = { op, conns: Math.min(clients, 4), clients };
    const { loadgen } = this.#options;
    return (await runLoad(this.#server, cell, { loadgen, seconds, extra })).maxUs;
  }

  async #ctl(...args: string[]): Promise<string> {
    const all = ["--endpoints", this.#server.endpoint, "--command-timeout", "60s", ...args];
    const timeoutMs = benchLimits.loadTimeoutMs;
    const result = await runCommand(this.#options.etcdctl, all, { timeoutMs });
    if (result.code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  async #status(): Promise<{ revision: string }> {
    const text = await this.#ctl("get", "none", "-w", "json");
    return { revision: /"revision":(\d+)/.exec(text)?.[1] ?? "1" };
  }

  async #until(isReached: (metrics: Metrics) => boolean): Promise<void> {
    const end = performance.now() + benchLimits.loadTimeoutMs;
    while (!isReached(await readMetrics(this.#server))) {
      if (performance.now() > end) throw new Error(`${this.#server.label}: leases do not expire`);
      await delay(benchLimits.pollMs);
    }
  }
}

/** One server, already running; it is restarted once. */
export function measureTurns(server: Server, options: TurnOptions): Promise<Phase[]> {
  return new TurnBench(server, options).run();
}
