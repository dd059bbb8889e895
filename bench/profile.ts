// Where the server's main thread spends its time under one kind of load.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { startServer } from "../test/conformance/servers.ts";
import type { Cell } from "./cells.ts";
import { runLoad, type LoadOptions } from "./load.ts";

const shownFunctions = 40;

/** With them the server does not start itself anew, which a profiler's signal may end. */
const heapFlags = "--max-old-space-size=4096 --max-semi-space-size=64";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; lineNumber: number };
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Self time per function in microseconds, longest first. */
function selfTimes(profile: CpuProfile): [name: string, us: number][] {
  const names = new Map<number, string>();
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame;
    names.set(id, `${functionName || "(anonymous)"} ${basename(url)}:${lineNumber + 1}`);
  }
  const times = new Map<string, number>();
  for (const [i, id] of profile.samples.entries()) {
    const name = names.get(id) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0));
  }
  return [...times].sort((a, b) => b[1] - a[1]);
}

function print(file: string, operations: number): void {
  const times = selfTimes(JSON.parse(readFileSync(file, "utf8")) as CpuProfile);
  const busy = times.filter(([name]) => !/^\((idle|program)\)/.test(name));
  const total = busy.reduce((sum, [, us]) => sum + us, 0);
  process.stdout.write(`\n${basename(file)}: ${(total / 1e6).toFixed(2)} s busy\n`);
  for (const [name, us] of times.slice(0, shownFunctions)) {
    const share = ((100 * us) / total).toFixed(1).padStart(5);
    const perOperation = (us / operations).toFixed(3).padStart(8);
    process.stdout.write(`${share} %  ${perOperation} us/op  ${name}\n`);
  }
}

/** Runs one cell against Quorate under V8's sampling profiler and prints the top functions. */
export async function profile(program: string, cell: Cell, options: LoadOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-profile-"));
  const server = await startServer({
    label: "profiled",
    program,
    flags: ["--log-level", "warn"],
    env: {
      NODE_OPTIONS: `${heapFlags} --cpu-prof --cpu-prof-interval 200 --cpu-prof-dir=${folder}`,
    },
  });
  try {
    const measured = await runLoad(server, cell, options);
    process.stdout.write(`${JSON.stringify(measured)}\n`);
    await server.end("SIGTERM");
    const files = readdirSync(folder);
    for (const file of files) print(join(folder, file), measured.operations);
    if (files.length === 0) process.stdout.write("no profile was written\n");
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}
