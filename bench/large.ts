// A million keys: memory, time from start to ready, and stalls seen by a client while the server
// compacts and defragments.
import { setTimeout as delay } from "node:timers/promises";

import { runCommand } from "../test/conformance/command.ts";
import type { Server } from "../test/conformance/servers.ts";
import { benchLimits } from "./limits.ts";
import { runLoad } from "./load.ts";
import { memory } from "./process.ts";

export interface Large {
  readonly keys: number;
  readonly fillPerSecond: number;
  readonly rssBytes: number;
  readonly anonBytes: number;
  readonly restartMs: number;
  readonly rssAfterRestartBytes: number;
  /** Longest wait of a client's serializable get, in microseconds: idle, and in each upkeep. */
  readonly idleMaxUs: number;
  readonly compactMaxUs: number;
  readonly defragmentMaxUs: number;
}

export interface LargeOptions {
  readonly loadgen: string;
  readonly etcdctl: string;
  readonly keys: number;
}

const probeSeconds = 3;
const probeStartMs = 600;

async function ctl(server: Server, options: LargeOptions, ...args: string[]): Promise<string> {
  const all = ["--endpoints", server.endpoint, "--command-timeout", "120s", ...args];
  const result = await runCommand(options.etcdctl, all, { timeoutMs: benchLimits.loadTimeoutMs });
  if (result.code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** One client's longest get while something else goes on. */
async function longestGet(
  server: Server,
  options: LargeOptions,
  meanwhile: () => Promise<unknown>,
): Promise<number> {
  const probe = runLoad(
    server,
    { op: "probe", conns: 1, clients: 1 },
    { loadgen: options.loadgen, seconds: probeSeconds },
  );
  await delay(probeStartMs);
  await meanwhile();
  return (await probe).maxUs;
}

export async function measureLarge(server: Server, options: LargeOptions): Promise<Large> {
  const extra = ["--keys", String(options.keys), "--value-len"];
  extra.push(String(benchLimits.largeValueBytes));
  const fill = await runLoad(
    server,
    { op: "fill", conns: 4, clients: 16 },
    { loadgen: options.loadgen, seconds: 0, extra },
  );
  await delay(benchLimits.settleMs);
  const { rssBytes, anonBytes } = memory(server.pid);
  const idleMaxUs = await longestGet(server, options, () => Promise.resolve());
  await server.end("SIGTERM");
  await server.restart();
  const restartMs = server.readyMs;
  await delay(benchLimits.settleMs);
  const rssAfterRestartBytes = memory(server.pid).rssBytes;
  const written = await ctl(server, options, "get", "none", "-w", "json");
  const revision = /"revision":(\d+)/.exec(written)?.[1] ?? "1";
  const compactMaxUs = await longestGet(server, options, () =>
    ctl(server, options, "compaction", revision),
  );
  const defragmentMaxUs = await longestGet(server, options, () => ctl(server, options, "defrag"));
  return {
    keys: options.keys,
    fillPerSecond: fill.perSecond,
    rssBytes,
    anonBytes,
    restartMs,
    rssAfterRestartBytes,
    idleMaxUs,
    compactMaxUs,
    defragmentMaxUs,
  };
}
