// Where the server's main thread spends its time under one kind of load.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { startServer } from "../test/conformance/servers.ts";
import { cellName, type Cell } from "./cells.ts";
import { runLoad, type LoadOptions } from "./load.ts";

const shownFunctions = 40;
/** As many go into docs/benchmarks.md. */
const keptFunctions = 6;

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

/** What the main thread of a server did under one load. */
export interface Profile {
  readonly name: string;
  /** Part of the time in which it had nothing to do. */
  readonly idleShare: number;
  /** Functions by their part of the busy time, largest first. */
  readonly top: readonly { readonly name: string; readonly share: number }[];
}

interface Read {
  readonly profile: Profile;
  readonly times: readonly [name: string, us: number][];
  readonly busyUs: number;
}

function read(file: string, name: string): Read {
  const times = selfTimes(JSON.parse(readFileSync(file, "utf8")) as CpuProfile);
  const sum = (part: readonly [string, number][]): number => part.reduce((n, [, us]) => n + us, 0);
  // What runs outside of JavaScript, such as the kernel's part of a poll, is no function's time.
  const busy = times.filter(([of]) => !/^\((idle|program)\)/.test(of));
  const idle = times.filter(([of]) => of.startsWith("(idle)"));
  const busyUs = sum(busy);
  const top = busy.slice(0, keptFunctions).map(([of, us]) => ({ name: of, share: us / busyUs }));
  return { profile: { name, idleShare: sum(idle) / sum(times), top }, times, busyUs };
}

function print(file: string, operations: number): void {
  const { profile, times, busyUs } = read(file, basename(file));
  const idle = (100 * profile.idleShare).toFixed(0);
  process.stdout.write(`\n${profile.name}: idle for ${idle} % of the time; of the rest\n`);
  for (const [name, us] of times.slice(0, shownFunctions)) {
    const share = ((100 * us) / busyUs).toFixed(1).padStart(5);
    const perOperation = (us / operations).toFixed(3).padStart(8);
    process.stdout.write(`${share} %  ${perOperation} us/op  ${name}\n`);
  }
}

/**
 * Runs one cell against Quorate under V8's sampling profiler, prints the top functions of each
 * thread and answers with those of the main thread: the one with most of them.
 */
export async function profile(
  program: string,
  cell: Cell,
  options: LoadOptions,
): Promise<Profile | undefined> {
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
    const files = readdirSync(folder)
      .map((name) => join(folder, name))
      .sort((a, b) => statSync(b).size - statSync(a).size);
    for (const file of files) print(file, measured.operations);
    if (files.length === 0) process.stdout.write("no profile was written\n");
    return files[0] === undefined ? undefined : read(files[0], cellName(cell)).profile;
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}
