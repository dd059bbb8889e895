import { createRandom } from "../../../src/base/random.ts";
import { drawOptions, type FaultName, type SimOptions } from "./options.ts";
import { plant } from "./planted.ts";
import { World, type Report } from "./world.ts";

export interface RunRequest {
  readonly seed: number;
  /** Simulated seconds of load under faults. */
  readonly seconds: number;
  /** Fault classes that are off whatever the seed says. */
  readonly without?: ReadonlySet<FaultName>;
  readonly clientsMax?: number;
  /** A bug to plant for this run (planted.ts). */
  readonly planted?: string | null;
  readonly print?: (line: string) => void;
}

export function optionsOf(request: RunRequest): SimOptions {
  const { seed, seconds, without, clientsMax = Infinity } = request;
  const random = createRandom(seed).fork("options");
  const drawn = drawOptions(seed, seconds * 1000, random, without);
  return { ...drawn, clients: Math.min(drawn.clients, clientsMax) };
}

/** One run of a seed. */
export function runSeed(request: RunRequest): Report {
  const { planted = null, print } = request;
  const remove = planted === null ? null : plant(planted);
  try {
    const world = new World(optionsOf(request));
    if (print !== undefined) world.trace.print = print;
    return world.run();
  } finally {
    remove?.();
  }
}

/** The least that still fails: without fault classes, then clients, then time. */
export function shrink(request: RunRequest, tell: (text: string) => void): RunRequest {
  const fails = (candidate: RunRequest): boolean => {
    return runSeed(candidate).violations.length > 0;
  };
  let best = request;
  for (const fault of optionsOf(request).faults) {
    const candidate = { ...best, without: new Set([...(best.without ?? []), fault]) };
    if (!fails(candidate)) continue;
    tell(`fails without ${fault}`);
    best = candidate;
  }
  for (const clientsMax of [1, 2, 4]) {
    const candidate = { ...best, clientsMax };
    if (!fails(candidate)) continue;
    tell(`fails with ${clientsMax} clients`);
    best = candidate;
    break;
  }
  for (
    let seconds = Math.floor(best.seconds / 2);
    seconds >= 1;
    seconds = Math.floor(seconds / 2)
  ) {
    const candidate = { ...best, seconds };
    if (!fails(candidate)) break;
    tell(`fails within ${seconds} s`);
    best = candidate;
  }
  return best;
}
