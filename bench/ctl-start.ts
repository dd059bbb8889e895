// How long a command line takes from its start to its end: Node alone, the built `quorate ctl`
// and etcdctl with one put each, interleaved.
import { join } from "node:path";

import { runCommand } from "../test/conformance/command.ts";
import { startServer } from "../test/conformance/servers.ts";
import { benchLimits } from "./limits.ts";
import { median } from "./statistics.ts";

const root = join(import.meta.dirname, "..");

/** Medians of wall-clock time, in milliseconds. */
export interface CtlStart {
  readonly nodeMs: number;
  readonly ctlMs: number;
  readonly etcdctlMs: number;
}

async function run(command: string, args: readonly string[]): Promise<number> {
  const began = performance.now();
  const result = await runCommand(command, args, { timeoutMs: benchLimits.loadTimeoutMs });
  if (result.code !== 0) throw new Error(`${command} ${args.join(" ")}: ${result.stderr}`);
  return performance.now() - began;
}

/** Builds dist/ first: what is installed is built. */
export async function measureCtlStart(program: string, etcdctl: string): Promise<CtlStart> {
  await run(process.execPath, [join(root, "tools/build.ts")]);
  const server = await startServer({ label: "quorate", program, flags: ["--log-level", "warn"] });
  const put = ["--endpoints", server.endpoint, "put", "key", "value"];
  const of: Readonly<Record<keyof CtlStart, readonly [string, ...string[]]>> = {
    nodeMs: [process.execPath, "-e", "0"],
    ctlMs: [process.execPath, join(root, "dist/main.js"), "ctl", ...put],
    etcdctlMs: [etcdctl, ...put],
  };
  const times: Record<keyof CtlStart, number[]> = { nodeMs: [], ctlMs: [], etcdctlMs: [] };
  try {
    for (let round = 0; round < benchLimits.commandStarts; round++) {
      for (const name of ["nodeMs", "ctlMs", "etcdctlMs"] as const) {
        const [command, ...args] = of[name];
        times[name].push(await run(command, args));
      }
    }
  } finally {
    await server.close();
  }
  const { nodeMs, ctlMs, etcdctlMs } = times;
  return { nodeMs: median(nodeMs), ctlMs: median(ctlMs), etcdctlMs: median(etcdctlMs) };
}
